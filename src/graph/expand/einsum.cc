// Einsum of an input and a constant that is a matrix product: its matrix can become bit-layers.
// All others stay Einsum.
#include <algorithm>
#include <string>

#include "graph/expand/expansion.h"

namespace pbatch {
namespace {

// "abk,kn->abn": what `rows` labels keep, `inner` ones sum over, `columns` ones add.
struct Product {
  std::size_t rows = 0, inner = 0, columns = 0;
};

std::optional<Product> product_of(std::string equation) {
  std::erase(equation, ' ');
  const std::size_t comma = equation.find(','), arrow = equation.find("->");
  if (comma == std::string::npos || arrow == std::string::npos || comma > arrow ||
      equation.find('.') != std::string::npos || equation.find(',', comma + 1) < arrow) {
    return std::nullopt;
  }
  const std::string a = equation.substr(0, comma);
  const std::string b = equation.substr(comma + 1, arrow - comma - 1);
  const std::string result = equation.substr(arrow + 2);
  Product p;
  while (p.inner < b.size() && a.find(b[p.inner]) != std::string::npos) ++p.inner;
  p.columns = b.size() - p.inner;
  if (p.inner == 0 || p.columns == 0 || a.size() <= p.inner) return std::nullopt;
  p.rows = a.size() - p.inner;
  std::string labels = a + b.substr(p.inner);
  if (a.substr(p.rows) != b.substr(0, p.inner) ||
      result != a.substr(0, p.rows) + b.substr(p.inner)) {
    return std::nullopt;
  }
  std::sort(labels.begin(), labels.end());
  const bool distinct = std::adjacent_find(labels.begin(), labels.end()) == labels.end();
  return distinct ? std::optional(p) : std::nullopt;
}

}  // namespace

Status expand_einsum(Expansion& e) {
  PBATCH_ASSIGN_OR_RETURN(const std::string equation, e.node().string_attr("equation", ""));
  const std::optional<Product> p = product_of(equation);
  const Tensor* w = e.node().inputs.size() == 2 ? e.constant(1) : nullptr;
  if (!p || !e.has(0) || w == nullptr || w->dtype() != DType::f32 || w->size() == 0 ||
      w->rank() != p->inner + p->columns) {
    return Status::ok();
  }
  std::int64_t inner = 1;
  for (std::size_t d = 0; d < p->inner; ++d) inner *= w->dim(d);
  const Shape columns(w->shape().begin() + static_cast<std::ptrdiff_t>(p->inner), w->shape().end());
  const ValueId matrix = e.tensor("matrix", w->reshaped({inner, w->size() / inner}));
  // Dimensions of rows are copied, as 0 says, whatever they are.
  std::vector<std::int64_t> shape(p->rows, 0);
  ValueId x = e.in(0);
  if (p->inner > 1) {
    shape.push_back(inner);
    x = e.reshape(x, shape);
    shape.pop_back();
  }
  const ValueId y = e.op("MatMul", {x, matrix});
  shape.insert(shape.end(), columns.begin(), columns.end());
  e.result(0, columns.size() == 1 ? y : e.reshape(y, shape));
  return Status::ok();
}

}  // namespace pbatch
