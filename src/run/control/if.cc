// If: one of two subgraphs, by a condition that is known when it runs.
#include <optional>
#include <utility>

#include "graph/subgraphs.h"
#include "run/control/subprogram.h"

namespace pbatch {
namespace {

class If final : public Op {
 public:
  If(Subprogram then_branch, Subprogram else_branch)
      : then_(std::move(then_branch)), else_(std::move(else_branch)) {}

  Result<StepPlan> plan(const PlanRequest&) const override {
    return StepPlan::allocating([this](RunContext& context, std::span<const Tensor* const> inputs,
                                       std::span<Tensor> outputs) -> Status {
      PBATCH_ASSIGN_OR_RETURN(const bool condition, read_condition(*inputs[0], "its condition"));
      PBATCH_ASSIGN_OR_RETURN(std::vector<Tensor> made,
                              (condition ? then_ : else_).run(context, {}, inputs));
      std::move(made.begin(), made.end(), outputs.begin());
      return Status::ok();
    });
  }

  void choose_kernels_by(const KernelPolicy& policy) override {
    then_.program().choose_kernels_by(policy);
    else_.program().choose_kernels_by(policy);
  }
  std::vector<ProgramInputs> programs(
      std::span<const std::optional<TensorType>> inputs) const override {
    return {then_.on({}, inputs), else_.on({}, inputs)};
  }

 private:
  Subprogram then_, else_;
};

}  // namespace

Result<std::unique_ptr<Op>> make_if(const Graph&, const Node& node) {
  PBATCH_RETURN_IF_ERROR(check_control_flow(node));
  PBATCH_ASSIGN_OR_RETURN(Subprogram then_branch, Subprogram::create(node, "then_branch"));
  PBATCH_ASSIGN_OR_RETURN(Subprogram else_branch, Subprogram::create(node, "else_branch"));
  return std::unique_ptr<Op>(new If(std::move(then_branch), std::move(else_branch)));
}

}  // namespace pbatch
