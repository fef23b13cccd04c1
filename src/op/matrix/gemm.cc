// Gemm: Y = alpha * op(A) op(B) + beta * C.
#include <algorithm>
#include <utility>

#include "op/float_checks.h"
#include "op/node_checks.h"
#include "op/op.h"
#include "product/float_gemm.h"
#include "product/openblas.h"

namespace pbatch {
namespace {

struct GemmAttributes {
  float alpha = 1.0F, beta = 1.0F;
  bool transpose_a = false, transpose_b = false;
};

// Whether `shape` broadcasts to m x n, and nothing of m x n to it.
bool broadcasts_to(const Shape& shape, std::int64_t m, std::int64_t n) {
  if (shape.size() > 2) return false;
  const bool n_fits = shape.empty() || shape.back() == 1 || shape.back() == n;
  const bool m_fits = shape.size() < 2 || shape[0] == 1 || shape[0] == m;
  return n_fits && m_fits;
}

// Y [m][n] = C, repeated as broadcasting asks.
void broadcast_c(const Shape& shape, const float* c, std::int64_t m, std::int64_t n, float* y) {
  const bool one_col = shape.empty() || shape.back() == 1;
  const bool one_row = shape.size() < 2 || shape[0] == 1;
  const std::int64_t c_cols = one_col ? 1 : n;
  for (std::int64_t i = 0; i < m; ++i, y += n) {
    const float* row = c + (one_row ? 0 : i * c_cols);
    if (one_col) {
      std::fill_n(y, n, *row);
    } else {
      std::copy_n(row, n, y);
    }
  }
}

class Gemm final : public Op {
 public:
  explicit Gemm(const GemmAttributes& attributes) : attributes_(attributes) {}

  // B as a constant, and C as a bias or absent.
  void set_constant(std::unique_ptr<FloatMatrix> matrix, const Tensor* bias) {
    matrix_ = std::move(matrix);
    if (bias != nullptr) bias_ = *bias;
  }

  Result<StepPlan> plan(const PlanRequest& request) const override {
    const Tensor* a = input_or_null(request.inputs, 0);
    const Tensor* b = input_or_null(request.inputs, 1);
    const Tensor* c = input_or_null(request.inputs, 2);
    PBATCH_RETURN_IF_ERROR(expect_float(a, "input A"));
    PBATCH_RETURN_IF_ERROR(expect_float(b, "input B"));
    if (c != nullptr) PBATCH_RETURN_IF_ERROR(expect_float(c, "input C"));
    const bool ranks_fit = a->rank() == 2 && b->rank() == 2;
    if (!ranks_fit ||
        a->dim(attributes_.transpose_a ? 0 : 1) != b->dim(attributes_.transpose_b ? 1 : 0)) {
      return Status(ErrorCode::shape_mismatch,
                    "A " + shape_to_string(a->shape()) +
                        (attributes_.transpose_a ? " transposed" : "") +
                        " does not multiply with B " + shape_to_string(b->shape()) +
                        (attributes_.transpose_b ? " transposed" : ""),
                    "feed the shape that the network was trained on");
    }
    const std::int64_t m = a->dim(attributes_.transpose_a ? 1 : 0);
    const std::int64_t k = a->dim(attributes_.transpose_a ? 0 : 1);
    const std::int64_t n = b->dim(attributes_.transpose_b ? 0 : 1);
    if (c != nullptr && !broadcasts_to(c->shape(), m, n)) {
      return Status(ErrorCode::shape_mismatch,
                    "C " + shape_to_string(c->shape()) + " does not broadcast to the result " +
                        shape_to_string({m, n}),
                    "feed the shape that the network was trained on");
    }
    const TensorType y{DType::f32, {m, n}};
    if (matrix_ != nullptr) {
      FloatGemmCall product;
      product.batch = m;
      if (bias_.size() != 0) product.bias = bias_.data<float>();
      return StepPlan::of(
          y, [this, product, backend = request.context.float_backend](const StepCall& call) {
            FloatGemmCall now = product;
            now.x = call.input<float>(0);
            now.y = call.output<float>(0);
            return matrix_->multiply(now, backend, call.pool, call.buffers);
          });
    }
    PBATCH_RETURN_IF_ERROR(check_sgemm(m, n, k));
    SgemmCall product;
    product.m = m;
    product.n = n;
    product.k = k;
    product.transpose_a = attributes_.transpose_a;
    product.transpose_b = attributes_.transpose_b;
    product.alpha = attributes_.alpha;
    const bool by_row =
        request.context.float_backend == FloatBackend::by_row && !attributes_.transpose_a;
    const bool adds = c != nullptr && attributes_.beta != 0.0F;
    if (adds) product.beta = attributes_.beta;
    return StepPlan::of(
        y, [product, adds, c_shape = adds ? c->shape() : Shape{}, by_row](const StepCall& call) {
          SgemmCall now = product;
          now.a = call.input<float>(0);
          now.b = call.input<float>(1);
          now.y = call.output<float>(0);
          if (adds) broadcast_c(c_shape, call.input<float>(2), now.m, now.n, now.y);
          const OpenblasThreads threads(by_row ? 1 : call.pool.lend());
          const std::int64_t products = by_row ? std::exchange(now.m, 1) : 1;
          for (std::int64_t i = 0; i < products; ++i, now.a += now.k, now.y += now.n) sgemm(now);
          return Status::ok();
        });
  }

 private:
  GemmAttributes attributes_;
  std::unique_ptr<FloatMatrix> matrix_;
  Tensor bias_;
};

}  // namespace

Result<std::unique_ptr<Op>> make_gemm(const Graph& graph, const Node& node) {
  PBATCH_RETURN_IF_ERROR(check_arity(node, 2, 3));
  GemmAttributes attributes;
  PBATCH_ASSIGN_OR_RETURN(attributes.alpha, node.float_attr("alpha", 1.0F));
  PBATCH_ASSIGN_OR_RETURN(attributes.beta, node.float_attr("beta", 1.0F));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t transpose_a, node.int_attr("transA", 0));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t transpose_b, node.int_attr("transB", 0));
  attributes.transpose_a = transpose_a != 0;
  attributes.transpose_b = transpose_b != 0;
  auto op = std::make_unique<Gemm>(attributes);

  const Tensor* b = constant_input(graph, node, 1);
  const Tensor* c = constant_input(graph, node, 2);
  const bool plain_product = !attributes.transpose_a && attributes.alpha == 1.0F;
  if (b != nullptr && b->dtype() == DType::f32 && b->rank() == 2 && plain_product) {
    const auto layout =
        attributes.transpose_b ? FloatMatrix::Layout::rows_cols : FloatMatrix::Layout::cols_rows;
    PBATCH_ASSIGN_OR_RETURN(auto matrix, FloatMatrix::create(*b, layout));
    const bool c_is_bias = c != nullptr && c->dtype() == DType::f32 && attributes.beta == 1.0F &&
                           c->size() == matrix->rows() &&
                           broadcasts_to(c->shape(), 1, matrix->rows());
    if (c_is_bias || !has_input(node, 2)) op->set_constant(std::move(matrix), c);
  }
  return std::unique_ptr<Op>(std::move(op));
}

}  // namespace pbatch
