// A graph with its operators built: what a session runs.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "graph/graph.h"
#include "op/op.h"
#include "pbatch/status.h"
#include "run/plan.h"

namespace pbatch {

/// Immutable after build(), but for caches that guard themselves.
class Program {
 public:
  Program(Program&&) noexcept;
  Program& operator=(Program&&) noexcept;
  ~Program();

  /// Builds every operator; the first one that cannot be built is the error,
  /// with its node. Precondition: the graph is sorted.
  static Result<Program> build(Graph graph);

  const Graph& graph() const { return *graph_; }
  std::size_t size() const { return ops_.size(); }
  const Node& node(std::size_t i) const { return graph_->nodes[i]; }
  const Op& op(std::size_t i) const { return *ops_[i]; }
  /// Calls visit(node, operator) for every operator and those of its subgraphs, outer ones
  /// first, until one call fails.
  Status visit(const std::function<Status(const Node&, const Op&)>& visit) const;
  /// Before the first run.
  void choose_kernels_by(const KernelPolicy& policy);
  /// The values that node i is the last to use.
  std::span<const ValueId> released_after(std::size_t i) const { return release_after_[i]; }

  /// The plan for this precision and these types, one for each graph input in its order, if it is
  /// one of the last few that were made or used; else null.
  std::shared_ptr<const Plan> find_plan(const RunContext& context,
                                        std::span<const Tensor> inputs) const;
  /// The same, or made now.
  Result<std::shared_ptr<const Plan>> plan(const RunContext& context,
                                           std::span<const Tensor> inputs) const;
  /// Runs plan() on `inputs`.
  Result<std::vector<Tensor>> run(RunContext& context, std::span<const Tensor> inputs) const;

 private:
  struct Plans;

  Program();

  std::unique_ptr<const Graph> graph_;  // on the heap: operators may keep references
  std::vector<std::unique_ptr<Op>> ops_;
  std::vector<std::vector<ValueId>> release_after_;  // per node: values used last there
  std::unique_ptr<Plans> plans_;
};

}  // namespace pbatch
