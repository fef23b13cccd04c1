// Inputs and outputs of recurrent operators: shapes checked, outputs allocated, calls filled in.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "op/op.h"
#include "op/recurrent/recurrent_layer.h"

namespace pbatch {

/// Null: absent. [T, B, ...] stands for [B, T, ...] with layout 1, [D, B, H] for [B, D, H].
struct RecurrentInputs {
  const Tensor* x = nullptr;          ///< float32 [T, B, any]
  const Tensor* lengths = nullptr;    ///< int32 [B]
  const Tensor* initial_h = nullptr;  ///< float32 [D, B, H]
  const Tensor* initial_c = nullptr;  ///< the same
};

/// Elements of the same, and of the outputs; null: absent or not wanted.
struct RecurrentData {
  const std::int32_t* lengths = nullptr;
  const float* initial_h = nullptr;
  const float* initial_c = nullptr;
  float* y = nullptr;
  float* y_h = nullptr;
  float* y_c = nullptr;
};

class RecurrentIo {
 public:
  /// Checks the inputs, lengths only if their elements are known; `directions` is D of the initial
  /// states. Errors name the input.
  static Result<RecurrentIo> create(const RecurrentInputs& inputs, std::int64_t hidden,
                                    int directions, int layout);

  std::int64_t steps() const { return steps_; }
  std::int64_t batch() const { return batch_; }

  /// An error for lengths that the input does not have; [B] or null.
  Status check_lengths(const std::int32_t* lengths) const;

  /// Y [T, made, B, H] (layout 1: [B, T, made, H]), Y_h and Y_c [made, B, H] ([B, made, H]), the
  /// first `count`; made: the directions that these hold.
  std::vector<TensorType> types(int made, std::size_t count) const;
  /// Memory for as many of them as there are outputs.
  Status allocate(const std::function<Result<Tensor>(Shape)>& make, int made,
                  std::span<Tensor> outputs);

  /// For direction `from` of the initial states and direction `to` of the outputs. `x` holds `rows`
  /// floats of each step and vector, in the order of the input X.
  RecurrentCall call(const float* x, std::int64_t rows, int from, int to) const;
  /// The same for elements from elsewhere, in outputs of `made` directions.
  RecurrentCall call(const RecurrentData& data, const float* x, std::int64_t rows, int from, int to,
                     int made) const;

 private:
  RecurrentInputs inputs_;
  std::int64_t steps_ = 0, batch_ = 0, hidden_ = 0;
  int directions_ = 1, made_ = 1;
  bool vectors_first_ = false;  // layout 1
  std::span<Tensor> outputs_;
};

}  // namespace pbatch
