// What pbatch.Recurrent and pbatch.BitRecurrent share: their attributes and inputs but the weights.
#pragma once

#include <cstddef>
#include <span>
#include <utility>

#include "op/op.h"
#include "op/recurrent/recurrent_io.h"
#include "op/recurrent/recurrent_spec.h"

namespace pbatch {

class RecurrentNode {
 public:
  /// Rb, sequence_lens, initial_h, initial_c and P are the inputs from `first` on; input 0 is XW.
  /// Rb and P are constants.
  static Result<RecurrentNode> create(const Graph& graph, const Node& node, std::size_t first);

  const RecurrentSpec& spec() const { return spec_; }

  /// Checks the inputs of a run.
  Result<RecurrentIo> open(std::span<const Tensor* const> inputs)
      const;  /// The outputs that the cell has: an RNN and a GRU have no Y_c.
  std::span<Tensor> wanted(std::span<Tensor> outputs) const;
  RecurrentCall call(const RecurrentIo& io, std::span<const Tensor* const> inputs) const;

  /// A plan whose step, once the lengths are checked, is run(RecurrentCall, StepCall). `io`: what
  /// open() said of the same inputs.
  template <class Run>
  StepPlan plan(const PlanRequest& request, const RecurrentIo& io, Run run) const;

 private:
  RecurrentSpec spec_;
  std::size_t first_ = 1;
  int layout_ = 0;
  int index_ = 0;       // of this direction in the initial states
  int directions_ = 1;  // that they hold
  Tensor r_bias_, peephole_;

  RecurrentCall call(const RecurrentIo& io, const StepCall& step, std::size_t inputs) const;
  RecurrentCall with_constants(RecurrentCall call) const;
};

template <class Run>
StepPlan RecurrentNode::plan(const PlanRequest& request, const RecurrentIo& io, Run run) const {
  const std::size_t count = spec_.gates.cell == CellType::lstm ? 3 : 2;
  return StepPlan::of(io.types(1, count), [this, io, inputs = request.inputs.size(),
                                           run = std::move(run)](const StepCall& step) {
    const RecurrentCall now = call(io, step, inputs);
    PBATCH_RETURN_IF_ERROR(io.check_lengths(now.lengths));
    return run(now, step);
  });
}

}  // namespace pbatch
