#include "run/plan_steps.h"

#include <set>
#include <utility>

#include "op/bits/bit_weights.h"
#include "run/program.h"

namespace pbatch {
namespace {

// A product that is planned in the middle of a run, by what is known of its matrix.
void add_matrix(const Node& node, const LayerPrecision& precision, PlanStep& step) {
  const BitMatrix& m = *node.matrix;
  step.rows = m.rows;
  step.cols = m.cols;
  step.weight_bits = precision.weight_bits;
  step.activation_bits = precision.activation_bits;
  step.weight_bytes =
      precision.weight_bits == 32 ? m.rows * m.cols * 4 : stored_bytes(m, precision.weight_bits);
}

PlanStep unplanned(const Node& node, const Precision& precision) {
  PlanStep step;
  step.planned = false;
  step.kernel = "by data";
  if (node.matrix != nullptr) add_matrix(node, precision.of(node.name), step);
  step.node = node.name;
  step.op_type = node.op_type;
  return step;
}

class Lister {
 public:
  explicit Lister(const RunContext& context) : context_(context) {}

  void list(const Plan& plan) {
    for (const Plan::Entry& entry : plan.entries()) {
      if (entry.is_alias) continue;
      if (entry.op == nullptr) {  // brings a value into another layout
        steps_.push_back(entry.info);
        continue;
      }
      std::vector<std::optional<TensorType>> inputs;
      for (const ValueId id : entry.node->inputs) inputs.push_back(plan.type_of(id));
      for (const ProgramInputs& inner : entry.op->programs(inputs)) list(inner);
      add(*entry.node, entry.info);
    }
  }

  std::vector<PlanStep> take() { return std::move(steps_); }

 private:
  // A branch that these types do not fit is none that such a run can take.
  void list(const ProgramInputs& inner) {
    if (inner.types) {
      std::vector<Tensor> inputs;
      for (const TensorType& type : *inner.types) {
        inputs.push_back(Tensor::view(type.dtype, type.shape, nullptr, nullptr));
      }
      if (const auto plan = inner.program->plan(context_, inputs)) return list(**plan);
    }
    for (std::size_t n = 0; n < inner.program->size(); ++n) {
      for (const Program* nested : inner.program->op(n).programs()) {
        list(ProgramInputs{nested, std::nullopt});
      }
      add(inner.program->node(n), unplanned(inner.program->node(n), context_.precision));
    }
  }

  void add(const Node& node, PlanStep step) {
    const bool read_before = node.matrix != nullptr && !counted_.insert(node.matrix.get()).second;
    if (read_before) step.weight_bytes = 0;
    steps_.push_back(std::move(step));
  }

  const RunContext& context_;
  std::set<const BitMatrix*> counted_;
  std::vector<PlanStep> steps_;
};

}  // namespace

PlanStep info_of(const Node& node, const StepPlan& planned, const Precision& precision) {
  if (!planned.is_planned()) return unplanned(node, precision);
  PlanStep step = planned.info;
  step.node = node.name;
  step.op_type = node.op_type;
  step.shape = planned.outputs[0].shape;
  if (step.kernel.empty()) step.kernel = "float";
  return step;
}

std::vector<PlanStep> list_steps(const Plan& plan, const RunContext& context) {
  Lister lister(context);
  lister.list(plan);
  return lister.take();
}

}  // namespace pbatch
