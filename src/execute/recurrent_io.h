// Inputs and outputs of recurrent operators: shapes checked, outputs allocated, calls filled in.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "execute/op.h"
#include "execute/recurrent_layer.h"

namespace pbatch {

/// Null: absent. [T, B, ...] stands for [B, T, ...] with layout 1, [D, B, H] for [B, D, H].
struct RecurrentInputs {
  const Tensor* x = nullptr;          ///< float32 [T, B, any]
  const Tensor* lengths = nullptr;    ///< int32 [B]
  const Tensor* initial_h = nullptr;  ///< float32 [D, B, H]
  const Tensor* initial_c = nullptr;  ///< the same
};

class RecurrentIo {
 public:
  /// Checks the inputs; `directions` is D of the initial states. Errors name the input.
  static Result<RecurrentIo> create(const RecurrentInputs& inputs, std::int64_t hidden,
                                    int directions, int layout);

  std::int64_t steps() const { return steps_; }
  std::int64_t batch() const { return batch_; }

  /// Allocates Y [T, made, B, H] (layout 1: [B, T, made, H]), Y_h and Y_c [made, B, H] ([B, made,
  /// H]), as many of them as there are outputs; made: the directions that these hold.
  Status allocate(RunContext& context, int made, std::span<Tensor> outputs);
  /// The same with memory from elsewhere.
  Status allocate(const std::function<Result<Tensor>(Shape)>& make, int made,
                  std::span<Tensor> outputs);

  /// For direction `from` of the initial states and direction `to` of the outputs. `x` holds `rows`
  /// floats of each step and vector, in the order of the input X.
  RecurrentCall call(const float* x, std::int64_t rows, int from, int to) const;

 private:
  RecurrentInputs inputs_;
  std::int64_t steps_ = 0, batch_ = 0, hidden_ = 0;
  int directions_ = 1, made_ = 1;
  bool vectors_first_ = false;  // layout 1
  std::span<Tensor> outputs_;
};

}  // namespace pbatch
