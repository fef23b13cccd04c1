// The interface of an operator.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/buffer_pool.h"
#include "base/thread_pool.h"
#include "cost/kernel_policy.h"
#include "graph/graph.h"
#include "op/step.h"
#include "pbatch/plan.h"
#include "pbatch/precision.h"
#include "pbatch/status.h"
#include "pbatch/tensor.h"

namespace pbatch {

class Program;

/// What a run lends to its operators.
struct RunContext {
  ThreadPool& pool;
  BufferPool& buffers;
  const Precision& precision;
  FloatBackend float_backend;
  StepTimings* timings = nullptr;  ///< where steps say what they took; null: nowhere

  /// An uninitialized tensor from the buffer pool.
  Result<Tensor> allocate(DType type, Shape shape) const;
};

/// What a plan knows of a node's inputs.
struct PlanRequest {
  const RunContext& context;
  /// inputs[i] is null for an absent optional input. All have their types; elements only those for
  /// which knows() is true.
  std::span<const Tensor* const> inputs;
  std::size_t outputs = 1;  ///< of the node; a plan may have more
  /// How each input lies: as wanted_layout() has it. Empty: all plain, and so must the outputs be.
  std::span<const Layout> layouts = {};
  /// For each input: null, or which elements of what the step is given it consists of, as
  /// Op::takes_view() agreed to. Empty: none.
  std::span<const ElementView* const> views = {};

  bool layouts_may_differ() const { return !layouts.empty(); }
  const ElementView* view(std::size_t i) const { return views.empty() ? nullptr : views[i]; }
  Layout layout(std::size_t i) const { return layouts.empty() ? Layout::plain : layouts[i]; }

  bool knows(std::size_t i) const { return inputs[i]->raw() != nullptr || inputs[i]->size() == 0; }
};

/// Channels last if one input is; plain if that would not do for one of another rank.
Layout common_layout(const PlanRequest& request);

/// What a program inside a node runs on: a type for each of its inputs.
struct ProgramInputs {
  const Program* program = nullptr;
  std::optional<std::vector<TensorType>> types;  ///< none: known only when the node runs
};

/// One node, ready to be planned and run. Immutable after construction but for caches that guard
/// themselves: all may be called from many threads at once.
class Op {
 public:
  virtual ~Op() = default;

  /// Shapes and types that do not fit are an error; the message need not name the node, the caller
  /// adds it. Planned if the output types follow from those of the inputs, and from elements as far
  /// as request.knows() them: if it knows all, at least an allocating step.
  virtual Result<StepPlan> plan(const PlanRequest& request) const = 0;

  /// How plan() wants input i, which lies as request.layout(i) now. Asked only if
  /// layouts_may_differ(). Tensors that lie alike in both layouts are not converted.
  virtual Layout wanted_layout(const PlanRequest&, std::size_t /*i*/) const {
    return Layout::plain;
  }

  /// Plans for these inputs, whose elements are all known, and runs at once. Errors of plan() come
  /// before anything is computed. An output that the graph does not use is still in the span.
  Status run(RunContext& context, std::span<const Tensor* const> inputs,
             std::span<Tensor> outputs) const;

  /// Whether plan() can do without the copy that an input of this type is, and read these elements
  /// of its source.
  virtual bool takes_view(const Tensor& /*input*/, const ElementView&) const { return false; }

  /// Called once, before anything else: what the operators with bit-layers choose kernels by.
  virtual void choose_kernels_by(const KernelPolicy&) {}

  /// What the node's subgraphs run as, and on; none for all operators but those of control flow.
  /// `inputs`: the types of the node's, none where it is not known.
  virtual std::vector<ProgramInputs> programs(
      std::span<const std::optional<TensorType>> /*inputs*/) const {
    return {};
  }
  std::vector<const Program*> programs() const;
};

/// Runs a plan once, its outputs newly allocated. Precondition: it was made for these inputs.
Status run_planned(const StepPlan& plan, RunContext& context, std::span<const Tensor* const> inputs,
                   std::span<Tensor> outputs);

/// Builds the operator of a node: checks attributes, and inputs that are
/// constant, so that what can be refused without data is refused at load.
using OpFactory = Result<std::unique_ptr<Op>> (*)(const Graph& graph, const Node& node);

}  // namespace pbatch
