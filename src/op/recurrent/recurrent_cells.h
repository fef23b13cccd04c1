// Recurrent cells with any of ONNX's activation functions: the same steps as kernel/cells.h.
#pragma once

#include <cstdint>

#include "kernel/cells.h"
#include "op/recurrent/recurrent_spec.h"

namespace pbatch {

/// As a CellFn, with the functions of `spec`.
void any_cells(const RecurrentSpec& spec, CellKind kind, const CellArgs& args,
               std::int64_t tile_begin, std::int64_t tile_end);

}  // namespace pbatch
