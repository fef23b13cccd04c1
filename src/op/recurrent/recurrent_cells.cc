#include "op/recurrent/recurrent_cells.h"

#include <algorithm>
#include <cmath>

#include "kernel/element_functions.h"

namespace pbatch {
namespace {

// Sigmoid, tanh and elu are the C library's here: layers of ONNX's default functions do not come
// here.
float apply(const CellActivation& a, float x) {
  switch (a.function) {
    case CellFunction::sigmoid:
      return 1.0F / (1.0F + std::exp(-x));
    case CellFunction::tanh:
      return std::tanh(x);
    case CellFunction::relu:
      return relu_of(x);
    case CellFunction::affine:
      return a.alpha * x + a.beta;
    case CellFunction::leaky_relu:
      return element<ElementFunction::leaky_relu>(x, 0, a.alpha, 0);
    case CellFunction::thresholded_relu:
      return x > a.alpha ? x : 0.0F;
    case CellFunction::scaled_tanh:
      return a.alpha * std::tanh(a.beta * x);
    case CellFunction::hard_sigmoid:
      return element<ElementFunction::hard_sigmoid>(x, 0, a.alpha, a.beta);
    case CellFunction::elu:
      return x < 0.0F ? a.alpha * std::expm1(x) : x;
    case CellFunction::softsign:
      return element<ElementFunction::softsign>(x, 0, 0, 0);
    case CellFunction::softplus:
      return element<ElementFunction::softplus>(x, 0, 0, 0);
  }
  return x;
}

// One unit of a step.
class Unit {
 public:
  Unit(const RecurrentSpec& spec, const CellArgs& args, std::int64_t unit)
      : spec_(spec), a_(args), unit_(unit) {}

  void step(CellKind kind) {
    switch (kind) {
      case kCellRnn:
        a_.h[unit_] = function(0, clipped(sum(1, 0)));
        return;
      case kCellLstm:
        return lstm();
      case kCellGru:
        return gru();
      case kCellGruGates:
        a_.update[unit_] = function(0, clipped(sum(2, 0)));
        a_.reset_h[unit_] = function(0, clipped(sum(2, 1))) * a_.h[unit_];
        return;
      case kCellGruState:
        return mix(a_.update[unit_], function(1, clipped(sum(1, 0))));
    }
  }

 private:
  // The row of gate g of G.
  std::int64_t row(int gates, int g) const {
    return (unit_ / kTileUnits * gates + g) * kTileUnits + unit_ % kTileUnits;
  }
  float sum(int gates, int g) const { return a_.x[row(gates, g)] + a_.r[row(gates, g)]; }
  float clipped(float x) const { return std::isnan(x) ? x : std::clamp(x, -a_.clip, a_.clip); }
  float function(std::size_t i, float x) const { return apply(spec_.activations[i], x); }
  float peephole(int which, float c) const {
    return a_.peephole == nullptr ? 0.0F : a_.peephole[which * a_.peephole_stride + unit_] * c;
  }

  void lstm() {
    const float before = a_.c[unit_];
    const float i = function(0, clipped(sum(4, 0) + peephole(0, before)));
    const float f =
        a_.couple_forget != 0 ? 1.0F - i : function(0, clipped(sum(4, 2) + peephole(2, before)));
    const float c = f * before + i * function(1, clipped(sum(4, 3)));
    const float o = function(0, clipped(sum(4, 1) + peephole(1, c)));
    a_.c[unit_] = c;
    a_.h[unit_] = o * function(2, c);
  }

  void gru() {
    const float z = function(0, clipped(sum(3, 0)));
    const float r = function(0, clipped(sum(3, 1)));
    const float bias = a_.r_bias == nullptr ? 0.0F : a_.r_bias[unit_];
    const float in = a_.x[row(3, 2)] + r * (a_.r[row(3, 2)] + bias);
    mix(z, function(1, clipped(in)));
  }

  void mix(float z, float g) { a_.h[unit_] = (1.0F - z) * g + z * a_.h[unit_]; }

  const RecurrentSpec& spec_;
  const CellArgs& a_;
  const std::int64_t unit_;
};

}  // namespace

void any_cells(const RecurrentSpec& spec, CellKind kind, const CellArgs& args,
               std::int64_t tile_begin, std::int64_t tile_end) {
  const std::int64_t end = std::min(tile_end * kTileUnits, spec.gates.hidden);
  for (std::int64_t unit = tile_begin * kTileUnits; unit < end; ++unit) {
    Unit(spec, args, unit).step(kind);
  }
}

}  // namespace pbatch
