// Det: determinants of square matrices, by elimination with pivots in double.
#include <cmath>
#include <utility>

#include "op/data_checks.h"
#include "op/float_checks.h"
#include "op/node_checks.h"
#include "op/op.h"

namespace pbatch {
namespace {

// Overwrites m, [n][n].
double determinant(double* m, std::int64_t n) {
  double product = 1;
  for (std::int64_t k = 0; k < n; ++k) {
    std::int64_t pivot = k;
    for (std::int64_t i = k + 1; i < n; ++i) {
      if (std::fabs(m[i * n + k]) > std::fabs(m[pivot * n + k])) pivot = i;
    }
    if (pivot != k) {
      product = -product;
      for (std::int64_t j = k; j < n; ++j) std::swap(m[k * n + j], m[pivot * n + j]);
    }
    const double head = m[k * n + k];
    product *= head;
    if (head == 0) return 0;
    for (std::int64_t i = k + 1; i < n; ++i) {
      const double factor = m[i * n + k] / head;
      for (std::int64_t j = k + 1; j < n; ++j) m[i * n + j] -= factor * m[k * n + j];
    }
  }
  return product;
}

class Det final : public Op {
 public:
  Result<StepPlan> plan(const PlanRequest& request) const override {
    const Tensor& x = *request.inputs[0];
    PBATCH_RETURN_IF_ERROR(expect_float(&x, "input X"));
    if (x.rank() < 2 || x.dim(x.rank() - 1) != x.dim(x.rank() - 2)) {
      return Status(ErrorCode::shape_mismatch,
                    "input X " + shape_to_string(x.shape()) + " holds no square matrices",
                    "feed [..., M, M]");
    }
    const std::int64_t n = x.shape().back();
    Shape shape(x.shape().begin(), x.shape().end() - 2);
    const std::int64_t count = product_of(shape, 0, shape.size());
    StepPlan plan = StepPlan::of({DType::f32, std::move(shape)}, [n, count](const StepCall& call) {
      auto* const m = static_cast<double*>(call.scratch);
      for (std::int64_t i = 0; i < count; ++i) {
        for (std::int64_t e = 0; e < n * n; ++e) m[e] = call.input<float>(0)[i * n * n + e];
        call.output<float>(0)[i] = static_cast<float>(determinant(m, n));
      }
      return Status::ok();
    });
    if (x.size() != 0) plan.scratch_bytes = static_cast<std::size_t>(n * n) * sizeof(double);
    return plan;
  }
};

}  // namespace

Result<std::unique_ptr<Op>> make_det(const Graph&, const Node& node) {
  PBATCH_RETURN_IF_ERROR(check_arity(node, 1, 1));
  return std::unique_ptr<Op>(new Det);
}

}  // namespace pbatch
