// A recurrent layer in one direction: what happens step by step, for any kind of product.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

#include "op/recurrent/recurrent_spec.h"
#include "pbatch/status.h"

namespace pbatch {

/// The recurrent matrix R, gate-tiled [rows][hidden], as it multiplies states.
class RecurrentProduct {
 public:
  /// Row blocks begin .. end - 1 are complete.
  using RangeTask = std::function<void(std::int64_t, std::int64_t)>;

  virtual ~RecurrentProduct() = default;

  /// Y = H R^T for row blocks first .. last - 1 of 16 rows, h [batch][ldh] of which the first
  /// `hidden` of each count, row r of vector b to y[b * ldy + r]. Calls done(begin, end) for
  /// disjoint ranges that cover first .. last, each beginning a multiple of `grain` after `first`,
  /// from any threads, as soon as their rows are complete. What done wrote is visible to the caller
  /// afterwards.
  virtual Status run(const float* h, std::int64_t ldh, std::int64_t first, std::int64_t last,
                     std::int64_t grain, float* y, std::int64_t ldy, const RangeTask& done) = 0;
};

/// Arrays of [step][vector][...]; strides count floats. What is one vector's part is contiguous.
struct RecurrentCall {
  std::int64_t steps = 0, batch = 0;
  const float* x = nullptr;  ///< rows of each: input part, biases added
  std::int64_t x_step = 0, x_vector = 0;
  const std::int32_t* lengths = nullptr;  ///< [batch], each 0 .. steps; null: all take all steps
  const float* initial_h = nullptr;       ///< hidden of each vector; null: zeros
  const float* initial_c = nullptr;       ///< the same
  std::int64_t initial_vector = 0;
  const float* r_bias = nullptr;    ///< [padded]: GRU with linear_before_reset; or null
  const float* peephole = nullptr;  ///< [3 * padded]: LSTM; or null
  float* y = nullptr;               ///< hidden of each; 0 beyond lengths; null: not wanted
  std::int64_t y_step = 0, y_vector = 0;
  float* last_h = nullptr;  ///< hidden of each vector; null: not wanted
  float* last_c = nullptr;  ///< the same
  std::int64_t last_vector = 0;
};

/// Bytes of memory for the states of `batch` vectors.
std::size_t recurrent_scratch_bytes(const RecurrentSpec& spec, std::int64_t batch);

/// Runs all steps, in recurrent_scratch_bytes() bytes at `scratch`, 64-byte aligned. The same
/// states give the same bits whether they come in one call or several.
Status run_recurrent(const RecurrentSpec& spec, const RecurrentCall& call,
                     RecurrentProduct& product, void* scratch);

}  // namespace pbatch
