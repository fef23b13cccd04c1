// Loop: a subgraph again and again, so many times or until a condition is false.
#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include "graph/subgraphs.h"
#include "op/data_checks.h"
#include "op/float_checks.h"
#include "run/control/slice_stack.h"
#include "run/control/subprogram.h"

namespace pbatch {
namespace {

template <class T>
Result<Tensor> single(const RunContext& context, DType type, Shape shape, T value) {
  PBATCH_ASSIGN_OR_RETURN(Tensor tensor, context.allocate(type, std::move(shape)));
  *tensor.mutable_data<T>() = value;
  return tensor;
}

class Loop final : public Op {
 public:
  Loop(Subprogram body, std::size_t own_inputs)
      : body_(std::move(body)),
        own_inputs_(own_inputs),
        states_(std::max<std::size_t>(own_inputs, 2) - 2),
        scans_(body_.program().graph().outputs.size() - 1 - states_) {}

  Result<StepPlan> plan(const PlanRequest&) const override {
    return StepPlan::allocating(
        [this](RunContext& context, std::span<const Tensor* const> inputs,
               std::span<Tensor> outputs) { return iterate(context, inputs, outputs); });
  }

  void choose_kernels_by(const KernelPolicy& policy) override {
    body_.program().choose_kernels_by(policy);
  }
  // As the first round has them; a state may come back in another shape.
  std::vector<ProgramInputs> programs(
      std::span<const std::optional<TensorType>> inputs) const override {
    std::vector<std::optional<TensorType>> own{TensorType{DType::i64, shape_of_input(0)},
                                               TensorType{DType::boolean, shape_of_input(1)}};
    if (inputs.size() < 2 + states_) return {body_.on({std::nullopt}, inputs)};
    own.insert(own.end(), inputs.begin() + 2,
               inputs.begin() + 2 + static_cast<std::ptrdiff_t>(states_));
    return {body_.on(std::move(own), inputs)};
  }

 private:
  Status iterate(RunContext& context, std::span<const Tensor* const> inputs,
                 std::span<Tensor> outputs) const {
    PBATCH_ASSIGN_OR_RETURN(const std::int64_t most, trip_count(inputs));
    PBATCH_ASSIGN_OR_RETURN(bool goes_on, first_condition(inputs));
    std::vector<Tensor> state;
    for (std::size_t i = 2; i < 2 + states_; ++i) state.push_back(*inputs[i]);
    std::vector<SliceStack> stacks(scans_, SliceStack(most));
    for (std::int64_t round = 0; round < most && goes_on; ++round) {
      PBATCH_ASSIGN_OR_RETURN(const Tensor number,
                              single(context, DType::i64, shape_of_input(0), round));
      PBATCH_ASSIGN_OR_RETURN(const Tensor condition,
                              single(context, DType::boolean, shape_of_input(1), std::uint8_t{1}));
      std::vector<Tensor> body_inputs{number, condition};
      body_inputs.insert(body_inputs.end(), state.begin(), state.end());
      PBATCH_ASSIGN_OR_RETURN(std::vector<Tensor> made,
                              body_.run(context, std::move(body_inputs), inputs));
      PBATCH_ASSIGN_OR_RETURN(goes_on,
                              read_condition(made[0], "the condition that the body makes"));
      for (std::size_t i = 0; i < states_; ++i) {
        PBATCH_RETURN_IF_ERROR(expect_kept_type(state[i], made[1 + i], i));
        state[i] = std::move(made[1 + i]);
      }
      for (std::size_t i = 0; i < scans_; ++i) {
        PBATCH_RETURN_IF_ERROR(stacks[i].add(context, made[1 + states_ + i]));
      }
    }
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      if (i < states_) {
        outputs[i] = std::move(state[i]);
        continue;
      }
      PBATCH_ASSIGN_OR_RETURN(outputs[i], stacks[i - states_].finish(context, body_.output(1 + i)));
    }
    return Status::ok();
  }

  // An absent one bounds nothing.
  Result<std::int64_t> trip_count(std::span<const Tensor* const> inputs) const {
    if (own_inputs_ == 0 || inputs[0] == nullptr) return std::numeric_limits<std::int64_t>::max();
    return read_integer(*inputs[0], "the trip count of Loop");
  }

  Result<bool> first_condition(std::span<const Tensor* const> inputs) const {
    if (own_inputs_ < 2 || inputs[1] == nullptr) return true;
    return read_condition(*inputs[1], "its condition");
  }

  // Scalars, unless the body declares tensors of one element.
  Shape shape_of_input(std::size_t i) const {
    return body_.input_rank(i).value_or(0) == 1 ? Shape{1} : Shape{};
  }

  Subprogram body_;
  std::size_t own_inputs_, states_, scans_;
};

}  // namespace

Result<std::unique_ptr<Op>> make_loop(const Graph&, const Node& node) {
  PBATCH_RETURN_IF_ERROR(check_control_flow(node));
  PBATCH_ASSIGN_OR_RETURN(Subprogram body, Subprogram::create(node, "body"));
  return std::unique_ptr<Op>(new Loop(std::move(body), own_inputs(node)));
}

}  // namespace pbatch
