#include "op/matrix/einsum_steps.h"

#include <algorithm>
#include <utility>

#include "op/data_checks.h"
#include "op/float_checks.h"
#include "op/shape/strided_copy.h"
#include "product/openblas.h"

namespace pbatch {
namespace {

EinsumLabels pick(const EinsumLabels& labels, const EinsumLabels& wanted, bool contained) {
  EinsumLabels found;
  for (const char label : labels) {
    const bool in = wanted.find(label) != EinsumLabels::npos;
    if (in == contained && found.find(label) == EinsumLabels::npos) found.push_back(label);
  }
  return found;
}

const float* source(const StepCall& call, const EinsumPlace& place) {
  if (place.memory == EinsumPlace::Memory::input) return call.input<float>(place.at);
  return scratch_at<float>(call, place.at);
}

float* target(const StepCall& call, const EinsumPlace& place) {
  if (place.memory == EinsumPlace::Memory::output) return call.output<float>(0);
  return scratch_at<float>(call, place.at);
}

std::int64_t count_elements(const Shape& shape) { return product_of(shape, 0, shape.size()); }

}  // namespace

EinsumLabels labels_in(const EinsumLabels& labels, const EinsumLabels& wanted) {
  return pick(labels, wanted, true);
}

EinsumLabels labels_not_in(const EinsumLabels& labels, const EinsumLabels& wanted) {
  return pick(labels, wanted, false);
}

bool EinsumSteps::add_sizes(const EinsumOperand& x) {
  for (std::size_t d = 0; d < x.labels.size(); ++d) {
    const std::int64_t extent = x.shape[d];
    const auto [it, added] = sizes_.emplace(x.labels[d], extent);
    if (!added && it->second == 1) it->second = extent;
    if (extent != 1 && extent != it->second) return false;
  }
  return true;
}

Shape EinsumSteps::shape_of(const EinsumLabels& labels) const {
  Shape shape;
  for (const char label : labels) shape.push_back(sizes_.at(label));
  return shape;
}

Result<EinsumPlace> EinsumSteps::add_scratch(const Shape& shape) {
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t count, checked_element_count(shape, sizeof(float)));
  return EinsumPlace{EinsumPlace::Memory::scratch, scratch_.add<float>(count)};
}

// Row-major over `order` in a tensor of `shape`; a dimension of 1, or none, is repeated.
void EinsumSteps::copy(const EinsumOperand& x, const EinsumLabels& order, const Shape& shape,
                       const EinsumPlace& to) {
  if (count_elements(shape) == 0 || count_elements(x.shape) == 0) return;
  const std::vector<std::int64_t> own = row_major_strides(x.shape);
  std::vector<std::int64_t> strides;
  for (const char label : order) {
    std::int64_t stride = 0;
    for (std::size_t d = 0; d < x.labels.size(); ++d) {
      if (x.labels[d] == label && x.shape[d] != 1) stride += own[d];
    }
    strides.push_back(stride);
  }
  steps_.emplace_back(
      [copy = StridedCopy(shape, strides, sizeof(float)), from = x.place,
       to](const StepCall& call) { copy.run(source(call, from), target(call, to), call.pool); });
}

Result<EinsumOperand> EinsumSteps::arrange(const EinsumOperand& x, const EinsumLabels& order,
                                           Shape shape) {
  if (x.labels == order && x.shape == shape) return x;
  EinsumOperand y{{}, std::move(shape), order};
  PBATCH_ASSIGN_OR_RETURN(y.place, add_scratch(y.shape));
  copy(x, order, y.shape, y.place);
  return y;
}

Result<EinsumOperand> EinsumSteps::expand(const EinsumOperand& x, const EinsumLabels& order) {
  return arrange(x, order, shape_of(order));
}

Result<EinsumOperand> EinsumSteps::sum(const EinsumOperand& x, const EinsumLabels& kept) {
  const EinsumLabels lost = labels_not_in(x.labels, kept);
  Shape shape;
  for (const char label : kept + lost) {
    std::int64_t size = 1;
    for (std::size_t d = 0; d < x.labels.size(); ++d) {
      if (x.labels[d] == label) size = x.shape[d] == 0 ? 0 : std::max(size, x.shape[d]);
    }
    shape.push_back(size);
  }
  PBATCH_ASSIGN_OR_RETURN(const EinsumOperand all, arrange(x, kept + lost, shape));
  if (lost.empty()) return all;
  const std::int64_t inner = product_of(shape, kept.size(), shape.size());
  shape.resize(kept.size());
  EinsumOperand y{{}, shape, kept};
  PBATCH_ASSIGN_OR_RETURN(y.place, add_scratch(shape));
  steps_.emplace_back(
      [from = all.place, to = y.place, inner, outer = count_elements(shape)](const StepCall& call) {
        const float* const x_at = source(call, from);
        for (std::int64_t i = 0; i < outer; ++i) {
          double sum = 0.0;
          for (std::int64_t k = 0; k < inner; ++k) sum += double{x_at[i * inner + k]};
          target(call, to)[i] = static_cast<float>(sum);
        }
      });
  return y;
}

Result<EinsumOperand> EinsumSteps::multiply(const EinsumOperand& left, const EinsumOperand& right,
                                            const EinsumLabels& kept) {
  // What only one of them has and nobody needs is summed first.
  PBATCH_ASSIGN_OR_RETURN(EinsumOperand a, sum(left, labels_in(left.labels, kept + right.labels)));
  PBATCH_ASSIGN_OR_RETURN(EinsumOperand b, sum(right, labels_in(right.labels, kept + a.labels)));
  const EinsumLabels both = labels_in(a.labels, b.labels);
  const EinsumLabels batch = labels_in(both, kept), k = labels_not_in(both, kept);
  const EinsumLabels m = labels_not_in(a.labels, b.labels), n = labels_not_in(b.labels, a.labels);
  PBATCH_ASSIGN_OR_RETURN(a, expand(a, batch + m + k));
  PBATCH_ASSIGN_OR_RETURN(b, expand(b, batch + k + n));
  EinsumOperand y{{}, shape_of(batch + m + n), batch + m + n};
  PBATCH_ASSIGN_OR_RETURN(y.place, add_scratch(y.shape));
  SgemmCall call;
  call.m = count_elements(shape_of(m));
  call.n = count_elements(shape_of(n));
  call.k = count_elements(shape_of(k));
  PBATCH_RETURN_IF_ERROR(check_sgemm(call.m, call.n, call.k));
  const std::int64_t count = count_elements(y.shape);
  if (count == 0) return y;
  steps_.emplace_back([call, from_a = a.place, from_b = b.place, to = y.place, count,
                       products = count_elements(shape_of(batch))](const StepCall& step) {
    float* const all = target(step, to);
    if (call.k == 0) {
      std::fill(all, all + count, 0.0F);
      return;
    }
    const OpenblasThreads threads(step.pool.lend());
    SgemmCall one = call;
    for (std::int64_t i = 0; i < products; ++i) {
      one.a = source(step, from_a) + i * call.m * call.k;
      one.b = source(step, from_b) + i * call.k * call.n;
      one.y = all + i * call.m * call.n;
      sgemm(one);
    }
  });
  return y;
}

Result<TensorType> EinsumSteps::finish(const EinsumOperand& x, const EinsumLabels& order) {
  TensorType y{DType::f32, shape_of(order)};
  PBATCH_RETURN_IF_ERROR(checked_element_count(y.shape, sizeof(float)).status());
  copy(x, order, y.shape, {EinsumPlace::Memory::output, 0});
  return y;
}

}  // namespace pbatch
