// Einsum: products summed over labelled dimensions. Two operands become one stack of matrix
// products; more are taken from the left, two at a time.
#include <algorithm>
#include <optional>
#include <set>
#include <string>

#include "op/float_checks.h"
#include "op/matrix/einsum_steps.h"
#include "op/node_checks.h"
#include "op/op.h"

namespace pbatch {
namespace {

using Labels = EinsumLabels;

Status bad_equation(const std::string& equation) {
  return {ErrorCode::malformed, "equation '" + equation + "' of Einsum does not fit its inputs",
          "export the network again"};
}

// "..." as labels for `rank` dimensions, of which `named` have labels of their own.
Labels with_ellipsis(const std::string& term, std::size_t rank) {
  const std::size_t dots = term.find("...");
  if (dots == std::string::npos) return term;
  const std::size_t named = term.size() - 3;
  Labels dims;
  for (std::size_t i = rank > named ? rank - named : 0; i-- > 0;) {
    dims.push_back(static_cast<char>('0' + i));
  }
  return term.substr(0, dots) + dims + term.substr(dots + 3);
}

class Einsum final : public Op {
 public:
  Einsum(std::string equation, std::vector<std::string> terms, std::optional<std::string> result)
      : equation_(std::move(equation)), terms_(std::move(terms)), result_(std::move(result)) {}

  Result<StepPlan> plan(const PlanRequest& request) const override {
    EinsumSteps steps;
    std::vector<EinsumOperand> operands;
    std::size_t dots = 0;
    for (std::size_t i = 0; i < request.inputs.size(); ++i) {
      PBATCH_RETURN_IF_ERROR(expect_float(request.inputs[i], "an input"));
      const Shape& shape = request.inputs[i]->shape();
      EinsumOperand x{
          {EinsumPlace::Memory::input, i}, shape, with_ellipsis(terms_[i], shape.size())};
      if (x.labels.size() != shape.size() || shape.size() > 10 || !steps.add_sizes(x)) {
        return bad_equation(equation_);
      }
      for (const char label : x.labels) {
        if (label <= '9') dots = std::max(dots, static_cast<std::size_t>(label - '0') + 1);
      }
      operands.push_back(std::move(x));
    }
    const Labels wanted = result_labels(operands, dots);
    for (const char label : wanted) {
      if (!steps.has(label)) return bad_equation(equation_);
    }
    EinsumOperand so_far = operands[0];
    for (std::size_t i = 1; i < operands.size(); ++i) {
      Labels kept = wanted;
      for (std::size_t j = i + 1; j < operands.size(); ++j) kept += operands[j].labels;
      PBATCH_ASSIGN_OR_RETURN(so_far, steps.multiply(so_far, operands[i], kept));
    }
    PBATCH_ASSIGN_OR_RETURN(so_far, steps.sum(so_far, labels_in(so_far.labels, wanted)));
    PBATCH_ASSIGN_OR_RETURN(TensorType y, steps.finish(so_far, wanted));
    const std::size_t scratch = steps.scratch_bytes();
    StepPlan plan = StepPlan::of(std::move(y), [steps = std::move(steps)](const StepCall& call) {
      steps.run(call);
      return Status::ok();
    });
    plan.scratch_bytes = scratch;
    return plan;
  }

 private:
  // Without "->": the dimensions of the ellipsis, then labels that come once, in order.
  Labels result_labels(const std::vector<EinsumOperand>& operands, std::size_t dots) const {
    const std::string term = result_.value_or("...");
    const std::size_t named = term.find("...") == std::string::npos ? 0 : term.size() - 3;
    Labels labels = with_ellipsis(term, dots + named);
    if (result_) return labels;
    Labels all;
    for (const EinsumOperand& x : operands) all += x.labels;
    const std::set<char> sorted(all.begin(), all.end());
    for (const char label : sorted) {
      if (label > '9' && std::count(all.begin(), all.end(), label) == 1) labels.push_back(label);
    }
    return labels;
  }

  std::string equation_;
  std::vector<std::string> terms_;
  std::optional<std::string> result_;
};

bool is_term(const std::string& term, bool is_result) {
  std::string letters = term;
  if (const std::size_t dots = letters.find("..."); dots != std::string::npos) {
    letters.erase(dots, 3);
  }
  std::set<char> seen;
  return std::all_of(letters.begin(), letters.end(), [&](char c) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    return letter && (seen.insert(c).second || !is_result);
  });
}

}  // namespace

Result<std::unique_ptr<Op>> make_einsum(const Graph&, const Node& node) {
  PBATCH_ASSIGN_OR_RETURN(const std::string given, node.string_attr("equation", ""));
  std::string equation = given;
  std::erase(equation, ' ');
  std::optional<std::string> result;
  if (const std::size_t arrow = equation.find("->"); arrow != std::string::npos) {
    result = equation.substr(arrow + 2);
    equation.resize(arrow);
  }
  std::vector<std::string> terms(1);
  for (const char c : equation) {
    if (c == ',') {
      terms.emplace_back();
    } else {
      terms.back().push_back(c);
    }
  }
  PBATCH_RETURN_IF_ERROR(check_arity(node, terms.size(), terms.size()));
  for (const std::string& term : terms) {
    if (!is_term(term, false)) return bad_equation(given);
  }
  if (result && !is_term(*result, true)) return bad_equation(given);
  return std::unique_ptr<Op>(new Einsum(given, std::move(terms), std::move(result)));
}

}  // namespace pbatch
