#include "run/program.h"

#include <mutex>
#include <optional>
#include <utility>

#include "base/recent.h"
#include "product/weight_store.h"
#include "run/find_op.h"

namespace pbatch {
namespace {

std::vector<std::vector<ValueId>> last_uses(const Graph& graph) {
  std::vector<std::vector<ValueId>> release(graph.nodes.size());
  std::vector<char> seen(graph.values.size(), 0);
  for (const ValueId id : graph.outputs) seen[static_cast<std::size_t>(id)] = 1;
  for (std::size_t n = graph.nodes.size(); n-- > 0;) {
    const Node& node = graph.nodes[n];
    for (const auto* ids : {&node.inputs, &node.outputs}) {
      for (const ValueId id : *ids) {
        if (id == kNoValue || seen[static_cast<std::size_t>(id)] != 0) continue;
        seen[static_cast<std::size_t>(id)] = 1;
        release[n].push_back(id);
      }
    }
  }
  return release;
}

constexpr std::size_t kKeptPlans = 8;

struct PlanKey {
  Precision precision;
  FloatBackend backend;
  std::vector<TensorType> inputs;
};

// What a plan is looked for by.
struct PlanWanted {
  const RunContext& context;
  std::span<const Tensor> inputs;
};

bool operator==(const PlanKey& key, const PlanWanted& wanted) {
  if (key.backend != wanted.context.float_backend || key.inputs.size() != wanted.inputs.size()) {
    return false;
  }
  for (std::size_t i = 0; i < key.inputs.size(); ++i) {
    const Tensor& input = wanted.inputs[i];
    if (key.inputs[i].dtype != input.dtype() || key.inputs[i].shape != input.shape()) return false;
  }
  return key.precision == wanted.context.precision;
}

}  // namespace

// Plans hold prepared weights.
struct Program::Plans final : WeightStore::Holder {
  Plans() { WeightStore::get().add(this); }
  ~Plans() override { WeightStore::get().remove(this); }

  std::optional<std::uint64_t> oldest() override {
    const std::lock_guard lock(mutex);
    return recent.is_empty() ? std::nullopt : std::optional(recent.oldest().used());
  }
  std::shared_ptr<const void> give_up() override {
    const std::lock_guard lock(mutex);
    return recent.is_empty() ? nullptr : recent.take_oldest();
  }

  std::mutex mutex;
  Recent<PlanKey, Plan> recent{kKeptPlans};
};

Program::Program() : plans_(std::make_unique<Plans>()) {}
Program::Program(Program&&) noexcept = default;
Program& Program::operator=(Program&&) noexcept = default;
Program::~Program() = default;

Result<Program> Program::build(Graph graph) {
  Program program;
  program.release_after_ = last_uses(graph);
  program.graph_ = std::make_unique<const Graph>(std::move(graph));
  const Graph& g = *program.graph_;
  for (const Node& node : g.nodes) {
    const Result<OpFactory> factory = find_op(node);
    if (!factory) return factory.status().at_node(node.name).in_file(g.source_file);
    Result<std::unique_ptr<Op>> op = (*factory)(g, node);
    if (!op) return op.status().at_node(node.name).in_file(g.source_file);
    program.ops_.push_back(std::move(op).value());
  }
  return program;
}

Status Program::visit(const std::function<Status(const Node&, const Op&)>& visit) const {
  for (std::size_t i = 0; i < ops_.size(); ++i) {
    PBATCH_RETURN_IF_ERROR(visit(graph_->nodes[i], *ops_[i]));
    for (const Program* inner : ops_[i]->programs()) PBATCH_RETURN_IF_ERROR(inner->visit(visit));
  }
  return Status::ok();
}

void Program::choose_kernels_by(const KernelPolicy& policy) {
  for (const auto& op : ops_) op->choose_kernels_by(policy);
  plans_ = std::make_unique<Plans>();
}

std::shared_ptr<const Plan> Program::find_plan(const RunContext& context,
                                               std::span<const Tensor> inputs) const {
  const std::lock_guard lock(plans_->mutex);
  auto found = plans_->recent.find(PlanWanted{context, inputs});
  if (found != nullptr) found->use(WeightStore::get().now());
  return found;
}

Result<std::shared_ptr<const Plan>> Program::plan(const RunContext& context,
                                                  std::span<const Tensor> inputs) const {
  if (auto found = find_plan(context, inputs)) return found;
  PlanKey key{context.precision, context.float_backend, {}};
  for (const Tensor& input : inputs) key.inputs.push_back({input.dtype(), input.shape()});
  PBATCH_ASSIGN_OR_RETURN(std::shared_ptr<const Plan> made,
                          Plan::compile(*this, context, key.inputs));
  made->use(WeightStore::get().now());
  const std::lock_guard lock(plans_->mutex);
  plans_->recent.add(std::move(key), made);
  return made;
}

Result<std::vector<Tensor>> Program::run(RunContext& context,
                                         std::span<const Tensor> inputs) const {
  PBATCH_ASSIGN_OR_RETURN(const std::shared_ptr<const Plan> plan, this->plan(context, inputs));
  return plan->run(context, inputs);
}

}  // namespace pbatch
