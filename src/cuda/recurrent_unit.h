// One unit's part of a recurrent step: the CPU's arithmetic (kernel/cell_tiles.h), and so its bits.
#pragma once

#include "accelerator/data_flags.h"
#include "accelerator/recurrent_step.h"
#include "kernel/cell_tiles.h"
#include "layout/hd.h"

namespace pbatch::cuda {
namespace {

/// Unit `unit` < padded of a vector.
PBATCH_HD inline void step_unit(const RecurrentStepArgs& a, int vector, int64_t unit) {
  const int64_t units = vector * a.padded;
  int64_t length = a.lengths != nullptr ? a.lengths[vector] : a.steps;
  if (length < 0 || length > a.steps) {
    *a.flag = kFlagBadLength;
    length = 0;
  }
  const bool is_real = unit < a.hidden;
  if (a.kind == kStepStart) {
    const int64_t from = vector * a.initial_vector + unit;
    a.h[units + unit] = is_real && a.initial_h != nullptr ? a.initial_h[from] : 0.0f;
    a.c[units + unit] = is_real && a.initial_c != nullptr ? a.initial_c[from] : 0.0f;
    a.update[units + unit] = 0.0f;
    a.reset_h[units + unit] = 0.0f;
    // Steps beyond a sequence's length are not computed.
    for (int64_t t = length; t < a.steps && is_real && a.y != nullptr; ++t) {
      a.y[t * a.y_step + vector * a.y_vector + unit] = 0.0f;
    }
  } else if (a.step < length) {
    const int64_t time = a.reverse ? length - 1 - a.step : a.step;
    CellArgs cell = {};
    cell.x = a.x + time * a.x_step + vector * a.x_vector;
    cell.r = a.r + vector * a.r_vector;
    cell.r_bias = a.r_bias;
    cell.peephole = a.peephole;
    cell.peephole_stride = a.padded;
    cell.clip = a.clip;
    cell.couple_forget = a.couple_forget;
    cell.h = a.h + units;
    cell.c = a.c + units;
    cell.update = a.update + units;
    cell.reset_h = a.reset_h + units;
    cell_unit(static_cast<CellKind>(a.kind), cell, unit / kTileUnits,
              static_cast<int>(unit % kTileUnits));
    if (is_real && a.y != nullptr && a.kind != kCellGruGates) {
      a.y[time * a.y_step + vector * a.y_vector + unit] = a.h[units + unit];
    }
  }
  if (!is_real) return;
  if (a.last_h != nullptr) a.last_h[vector * a.last_vector + unit] = a.h[units + unit];
  if (a.last_c != nullptr) a.last_c[vector * a.last_vector + unit] = a.c[units + unit];
}

}  // namespace
}  // namespace pbatch::cuda
