// The interface of an operator, and the table they register in.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/buffer_pool.h"
#include "base/thread_pool.h"
#include "graph/graph.h"
#include "pbatch/precision.h"
#include "pbatch/session.h"
#include "pbatch/status.h"
#include "pbatch/tensor.h"
#include "plan/kernel_policy.h"

namespace pbatch {

class PackedInput;
class Program;

/// What a run lends to its operators.
struct RunContext {
  ThreadPool& pool;
  BufferPool& buffers;
  const Precision& precision;
  FloatBackend float_backend;
  /// Packed vectors of the node's first input, if other nodes may take them too; else null.
  PackedInput* packed_input = nullptr;

  /// An uninitialized tensor from the buffer pool.
  Result<Tensor> allocate(DType type, Shape shape) const;
};

/// One node, ready to run. Immutable after construction but for caches that
/// guard themselves: run() may be called from many threads at once.
class Op {
 public:
  virtual ~Op() = default;

  /// inputs[i] is null for an absent optional input. Writes every outputs[i];
  /// one that the graph does not use is still in the span. Shapes and types
  /// that do not fit are an error before anything is computed; the message need
  /// not name the node, the caller adds it.
  virtual Status run(RunContext& context, std::span<const Tensor* const> inputs,
                     std::span<Tensor> outputs) const = 0;

  /// Called once, before anything else: what the operators with bit-layers choose kernels by.
  virtual void choose_kernels_by(const KernelPolicy&) {}
  /// True if run() quantizes the vectors of inputs[0] as they are, and so can use packed_input.
  virtual bool packs_first_input() const { return false; }

  /// What the node's subgraphs run as; none for all operators but those of control flow.
  virtual std::vector<const Program*> programs() const { return {}; }

  /// Does now what the first run at this precision would do.
  virtual Status prepare(const LayerPrecision&) const { return Status::ok(); }
  /// What a run at this precision does; empty for operators without a matrix of their own.
  virtual Result<PlanStep> plan(const LayerPrecision&, std::int64_t /*batch*/,
                                int /*threads*/) const {
    return PlanStep{};
  }
};

/// Builds the operator of a node: checks attributes, and inputs that are
/// constant, so that what can be refused without data is refused at load.
using OpFactory = Result<std::unique_ptr<Op>> (*)(const Graph& graph, const Node& node);

/// The factory for a node; an error that names operator, domain and opset if
/// there is none. `node.opset` below the first opset registered is an error too.
Result<OpFactory> find_op(const Node& node);

/// The error of the first node whose operator cannot be run, with its name.
Status check_operators(const Graph& graph);

}  // namespace pbatch
