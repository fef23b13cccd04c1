// Einsum: products summed over labelled dimensions. Two operands become one stack of matrix
// products; more are taken from the left, two at a time.
#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "execute/op.h"
#include "execute/openblas.h"
#include "execute/ops/data_checks.h"
#include "execute/ops/float_checks.h"
#include "execute/ops/node_checks.h"
#include "execute/ops/strided_copy.h"

namespace pbatch {
namespace {

// One label per dimension. Those of an ellipsis are digits: '0' is the last.
using Labels = std::string;

// A tensor and where each label's dimension lies in it; strides of a label that comes twice add up.
struct Operand {
  Tensor tensor;
  Labels labels;
};

using Sizes = std::map<char, std::int64_t>;

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

// The tensor as a row-major one over `order`; labels that it lacks have size 1.
Result<Tensor> arranged(RunContext& context, const Operand& x, const Labels& order) {
  StridedView view{x.tensor.raw(), {}, {}};
  const std::vector<std::int64_t> strides = row_major_strides(x.tensor.shape());
  for (const char label : order) {
    std::int64_t size = 1, stride = 0;
    for (std::size_t d = 0; d < x.labels.size(); ++d) {
      if (x.labels[d] != label) continue;
      size = std::max(size, x.tensor.dim(d));
      if (x.tensor.dim(d) != 1) stride += strides[d];
    }
    view.shape.push_back(x.tensor.size() == 0 && size == 1 ? 1 : size);
    view.strides.push_back(stride);
  }
  PBATCH_ASSIGN_OR_RETURN(Tensor y, context.allocate(DType::f32, view.shape));
  if (y.size() != 0 && x.tensor.size() != 0) copy_strided(std::move(view), y, context.pool);
  return y;
}

std::int64_t size_of(const Labels& labels, const Sizes& sizes) {
  std::int64_t size = 1;
  for (const char label : labels) size *= sizes.at(label);
  return size;
}

// `x` with dimensions of 1 repeated to their size, over `order`.
Result<Tensor> expanded(RunContext& context, const Operand& x, const Labels& order,
                        const Sizes& sizes) {
  PBATCH_ASSIGN_OR_RETURN(const Tensor flat, arranged(context, x, order));
  StridedView view{flat.raw(), {}, row_major_strides(flat.shape())};
  for (std::size_t d = 0; d < order.size(); ++d) {
    view.shape.push_back(sizes.at(order[d]));
    if (flat.dim(d) != view.shape[d]) view.strides[d] = 0;
  }
  if (view.shape == flat.shape()) return flat;
  PBATCH_ASSIGN_OR_RETURN(Tensor y, context.allocate(DType::f32, view.shape));
  if (y.size() != 0) copy_strided(std::move(view), y, context.pool);
  return y;
}

// The sum over the labels that `kept` lacks.
Result<Operand> summed(RunContext& context, const Operand& x, const Labels& kept) {
  Labels lost;
  for (const char label : x.labels) {
    if (kept.find(label) == Labels::npos && lost.find(label) == Labels::npos) lost.push_back(label);
  }
  PBATCH_ASSIGN_OR_RETURN(const Tensor all, arranged(context, x, kept + lost));
  const std::int64_t inner = product_of(all.shape(), kept.size(), all.rank());
  const Shape shape(all.shape().begin(),
                    all.shape().begin() + static_cast<std::ptrdiff_t>(kept.size()));
  PBATCH_ASSIGN_OR_RETURN(Tensor y, context.allocate(DType::f32, shape));
  for (std::int64_t i = 0; i < y.size(); ++i) {
    double sum = 0.0;
    for (std::int64_t k = 0; k < inner; ++k) sum += double{all.data<float>()[i * inner + k]};
    y.mutable_data<float>()[i] = static_cast<float>(sum);
  }
  return Operand{std::move(y), kept};
}

Labels unique_in(const Labels& labels, const Labels& wanted, bool contained) {
  Labels found;
  for (const char label : labels) {
    const bool in = wanted.find(label) != Labels::npos;
    if (in == contained && found.find(label) == Labels::npos) found.push_back(label);
  }
  return found;
}

// a b summed over the labels that `kept` lacks: [batch, m, k] times [batch, k, n].
Result<Operand> multiplied(RunContext& context, Operand a, Operand b, const Labels& kept,
                           const Sizes& sizes) {
  // What only one of them has and nobody needs is summed first.
  PBATCH_ASSIGN_OR_RETURN(a, summed(context, a, unique_in(a.labels, kept + b.labels, true)));
  PBATCH_ASSIGN_OR_RETURN(b, summed(context, b, unique_in(b.labels, kept + a.labels, true)));
  const Labels both = unique_in(a.labels, b.labels, true);
  const Labels batch = unique_in(both, kept, true), k = unique_in(both, kept, false);
  const Labels m = unique_in(a.labels, b.labels, false), n = unique_in(b.labels, a.labels, false);
  PBATCH_ASSIGN_OR_RETURN(const Tensor left, expanded(context, a, batch + m + k, sizes));
  PBATCH_ASSIGN_OR_RETURN(const Tensor right, expanded(context, b, batch + k + n, sizes));
  Operand y{{}, batch + m + n};
  Shape shape;
  for (const char label : y.labels) shape.push_back(sizes.at(label));
  PBATCH_ASSIGN_OR_RETURN(y.tensor, context.allocate(DType::f32, shape));
  SgemmCall call;
  call.m = size_of(m, sizes);
  call.n = size_of(n, sizes);
  call.k = size_of(k, sizes);
  PBATCH_RETURN_IF_ERROR(check_sgemm(call.m, call.n, call.k));
  if (y.tensor.size() == 0) return y;
  float* const to = y.tensor.mutable_data<float>();
  if (call.k == 0) {
    std::fill(to, to + y.tensor.size(), 0.0F);
    return y;
  }
  const OpenblasThreads threads(context.pool.lend());
  for (std::int64_t i = 0; i < size_of(batch, sizes); ++i) {
    call.a = left.data<float>() + i * call.m * call.k;
    call.b = right.data<float>() + i * call.k * call.n;
    call.y = to + i * call.m * call.n;
    sgemm(call);
  }
  return y;
}

class Einsum final : public Op {
 public:
  Einsum(std::string equation, std::vector<std::string> terms, std::optional<std::string> result)
      : equation_(std::move(equation)), terms_(std::move(terms)), result_(std::move(result)) {}

  Status run(RunContext& context, std::span<const Tensor* const> inputs,
             std::span<Tensor> outputs) const override {
    std::vector<Operand> operands;
    Sizes sizes;
    std::size_t dots = 0;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      PBATCH_RETURN_IF_ERROR(expect_float(inputs[i], "an input"));
      Operand x{*inputs[i], with_ellipsis(terms_[i], inputs[i]->rank())};
      if (x.labels.size() != x.tensor.rank() || x.tensor.rank() > 10) {
        return bad_equation(equation_);
      }
      for (std::size_t d = 0; d < x.labels.size(); ++d) {
        const std::int64_t extent = x.tensor.dim(d);
        const auto [it, added] = sizes.emplace(x.labels[d], extent);
        if (!added && it->second == 1) it->second = extent;
        if (extent != 1 && extent != it->second) return bad_equation(equation_);
        const char label = x.labels[d];
        if (label <= '9') dots = std::max(dots, static_cast<std::size_t>(label - '0') + 1);
      }
      operands.push_back(std::move(x));
    }
    const Labels wanted = result_labels(operands, dots);
    for (const char label : wanted) {
      if (sizes.count(label) == 0) return bad_equation(equation_);
    }
    Operand so_far = operands[0];
    for (std::size_t i = 1; i < operands.size(); ++i) {
      Labels kept = wanted;
      for (std::size_t j = i + 1; j < operands.size(); ++j) kept += operands[j].labels;
      PBATCH_ASSIGN_OR_RETURN(so_far, multiplied(context, so_far, operands[i], kept, sizes));
    }
    PBATCH_ASSIGN_OR_RETURN(so_far,
                            summed(context, so_far, unique_in(so_far.labels, wanted, true)));
    PBATCH_ASSIGN_OR_RETURN(outputs[0], expanded(context, so_far, wanted, sizes));
    return Status::ok();
  }

 private:
  // Without "->": the dimensions of the ellipsis, then labels that come once, in order.
  Labels result_labels(const std::vector<Operand>& operands, std::size_t dots) const {
    const std::string term = result_.value_or("...");
    const std::size_t named = term.find("...") == std::string::npos ? 0 : term.size() - 3;
    Labels labels = with_ellipsis(term, dots + named);
    if (result_) return labels;
    Labels all;
    for (const Operand& x : operands) all += x.labels;
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
