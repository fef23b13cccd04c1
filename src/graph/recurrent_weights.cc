#include "graph/recurrent_weights.h"

#include <string>
#include <vector>

namespace pbatch {
namespace {

Status check(const Tensor* t, const char* name, const Shape& shape) {
  const bool fits = t->dtype() == DType::f32 && t->shape() == shape;
  if (fits) return Status::ok();
  return {ErrorCode::shape_mismatch,
          std::string("input ") + name + " is " + dtype_name(t->dtype()) + " " +
              shape_to_string(t->shape()) + ", not float32 " + shape_to_string(shape),
          "correct hidden_size, direction or the weights, and export the network again"};
}

}  // namespace

Status check_recurrent_weights(const OnnxRecurrentWeights& weights, const GateTiles& gates,
                               int directions) {
  const std::int64_t rows = gates.gates() * gates.hidden;
  const std::int64_t features = weights.w->rank() == 3 ? weights.w->dim(2) : 0;
  PBATCH_RETURN_IF_ERROR(check(weights.w, "W", {directions, rows, features}));
  PBATCH_RETURN_IF_ERROR(check(weights.r, "R", {directions, rows, gates.hidden}));
  if (weights.b != nullptr) {
    PBATCH_RETURN_IF_ERROR(check(weights.b, "B", {directions, 2 * rows}));
  }
  if (weights.p != nullptr) {
    PBATCH_RETURN_IF_ERROR(check(weights.p, "P", {directions, 3 * gates.hidden}));
  }
  return Status::ok();
}

Result<DirectionWeights> tile_direction(const OnnxRecurrentWeights& weights, const GateTiles& gates,
                                        int d) {
  const std::int64_t rows = gates.gates() * gates.hidden, features = weights.w->dim(2);
  DirectionWeights tiled;
  PBATCH_ASSIGN_OR_RETURN(
      tiled.w, tile_weights(gates, weights.w->data<float>() + d * rows * features, features));
  PBATCH_ASSIGN_OR_RETURN(
      tiled.r,
      tile_weights(gates, weights.r->data<float>() + d * rows * gates.hidden, gates.hidden));
  std::vector<float> bias(static_cast<std::size_t>(rows), 0.0F);
  if (weights.b != nullptr) {
    const float* const of_w = weights.b->data<float>() + d * 2 * rows;
    const float* const of_r = of_w + rows;
    // What the reset gate multiplies cannot be added beforehand.
    const bool apart = gates.cell == CellType::gru && gates.linear_before_reset;
    const std::int64_t together = apart ? 2 * gates.hidden : rows;
    for (std::int64_t i = 0; i < rows; ++i) {
      bias[static_cast<std::size_t>(i)] = of_w[i] + (i < together ? of_r[i] : 0.0F);
    }
    if (apart) {
      PBATCH_ASSIGN_OR_RETURN(tiled.r_bias, pad_units(gates, of_r + together, 1));
    }
  }
  PBATCH_ASSIGN_OR_RETURN(tiled.bias, tile_rows(gates, bias.data()));
  if (weights.p != nullptr) {
    PBATCH_ASSIGN_OR_RETURN(tiled.peephole,
                            pad_units(gates, weights.p->data<float>() + d * 3 * gates.hidden, 3));
  }
  return tiled;
}

}  // namespace pbatch
