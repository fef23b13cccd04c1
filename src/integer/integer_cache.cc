#include "integer/integer_cache.h"

#include <algorithm>
#include <utility>

namespace pbatch {

Result<std::shared_ptr<const IntegerProgram>> IntegerCache::get(const Program& program,
                                                                RunContext& context,
                                                                std::span<const Tensor> inputs) {
  Key key{context.precision, {}, numbers_that_matter(program.graph(), inputs)};
  for (const Tensor& input : inputs) key.inputs.push_back({input.dtype(), input.shape()});
  {
    const std::lock_guard lock(mutex_);
    if (auto found = recent_.find(key)) return found;
  }
  PBATCH_ASSIGN_OR_RETURN(auto made, build_integer_program(program, context, inputs));
  const std::lock_guard lock(mutex_);
  recent_.add(std::move(key), made);
  return made;
}

std::vector<PlanStep> list_integer_steps(const IntegerProgram& program,
                                         const std::vector<PlanStep>& in_floats) {
  std::vector<PlanStep> steps;
  for (const IntegerStep& step : program.steps()) {
    PlanStep made;
    const auto of_node =
        std::find_if(in_floats.begin(), in_floats.end(),
                     [&](const PlanStep& other) { return other.node == step.node; });
    const bool has_matrix =
        step.kind == "product" || step.kind == "convolution" || step.kind == "recurrent";
    if (of_node != in_floats.end() && has_matrix) made = *of_node;
    made.node = step.node;
    made.op_type = of_node != in_floats.end() ? of_node->op_type : step.kind;
    made.kernel = "integer " + step.kind;
    made.repack.clear();
    made.predicted_us = 0;
    const auto y =
        std::find_if(step.outputs.begin(), step.outputs.end(), [](int v) { return v >= 0; });
    if (y != step.outputs.end()) made.shape = program.values()[static_cast<std::size_t>(*y)].shape;
    steps.push_back(std::move(made));
  }
  return steps;
}

}  // namespace pbatch
