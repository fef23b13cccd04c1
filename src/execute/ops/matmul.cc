// MatMul: as numpy.matmul, float32.
#include <algorithm>

#include "execute/float_gemm.h"
#include "execute/op.h"
#include "execute/openblas.h"
#include "execute/ops/float_checks.h"
#include "execute/ops/node_checks.h"

namespace pbatch {
namespace {

// Two stacks of matrices; `batch` is what their leading dimensions broadcast to.
struct Stacks {
  std::int64_t m = 0, k = 0, n = 0;
  Shape a, b, batch;  // leading dimensions, of equal rank
  Shape result;
};

Status mismatch(const Tensor& a, const Tensor& b) {
  return {
      ErrorCode::shape_mismatch,
      "A " + shape_to_string(a.shape()) + " does not multiply with B " + shape_to_string(b.shape()),
      "feed the shape that the network was trained on"};
}

Shape leading(const Shape& shape, std::size_t rank) {
  const std::size_t own = shape.size() > 2 ? shape.size() - 2 : 0;
  Shape dims(rank - own, 1);
  dims.insert(dims.end(), shape.begin(), shape.begin() + static_cast<std::ptrdiff_t>(own));
  return dims;
}

Result<Stacks> match(const Tensor& a, const Tensor& b) {
  if (a.rank() == 0 || b.rank() == 0) return mismatch(a, b);
  Stacks s;
  s.m = a.rank() == 1 ? 1 : a.dim(a.rank() - 2);
  s.k = a.shape().back();
  s.n = b.rank() == 1 ? 1 : b.shape().back();
  if (s.k != (b.rank() == 1 ? b.dim(0) : b.dim(b.rank() - 2))) return mismatch(a, b);
  const std::size_t rank = std::max({a.rank(), b.rank(), std::size_t{2}}) - 2;
  s.a = leading(a.shape(), rank);
  s.b = leading(b.shape(), rank);
  for (std::size_t i = 0; i < rank; ++i) {
    if (s.a[i] != s.b[i] && s.a[i] != 1 && s.b[i] != 1) return mismatch(a, b);
    s.batch.push_back(s.a[i] == 1 ? s.b[i] : s.a[i]);
  }
  s.result = s.batch;
  if (a.rank() != 1) s.result.push_back(s.m);
  if (b.rank() != 1) s.result.push_back(s.n);
  return s;
}

// Which of an operand's matrices takes part in the i-th product.
std::int64_t matrix_index(const Shape& own, const Shape& batch, std::int64_t i) {
  std::int64_t index = 0, stride = 1;
  for (std::size_t d = batch.size(); d-- > 0;) {
    if (own[d] != 1) index += i % batch[d] * stride;
    stride *= own[d];
    i /= batch[d];
  }
  return index;
}

class MatMul final : public Op {
 public:
  explicit MatMul(std::unique_ptr<FloatMatrix> matrix) : matrix_(std::move(matrix)) {}

  Result<StepPlan> plan(const PlanRequest& request) const override {
    const Tensor* a = input_or_null(request.inputs, 0);
    const Tensor* b = input_or_null(request.inputs, 1);
    PBATCH_RETURN_IF_ERROR(expect_float(a, "input A"));
    PBATCH_RETURN_IF_ERROR(expect_float(b, "input B"));
    PBATCH_ASSIGN_OR_RETURN(Stacks stacks, match(*a, *b));
    TensorType y{DType::f32, stacks.result};
    if (product_of(y.shape, 0, y.shape.size()) == 0) {
      return StepPlan::of(std::move(y), [](const StepCall&) { return Status::ok(); });
    }
    if (product_of(stacks.b, 0, stacks.b.size()) == 1) {  // one matrix on the right
      stacks.m *= product_of(stacks.a, 0, stacks.a.size());
      stacks.a.clear();
      stacks.b.clear();
      stacks.batch.clear();
    }
    if (matrix_ != nullptr) {
      return StepPlan::of(
          std::move(y),
          [this, m = stacks.m, backend = request.context.float_backend](const StepCall& call) {
            return matrix_->multiply(
                {call.input<float>(0), m, call.output<float>(0), nullptr, Activation::none},
                backend, call.pool, call.buffers);
          });
    }
    PBATCH_RETURN_IF_ERROR(check_sgemm(stacks.m, stacks.n, stacks.k));
    return StepPlan::of(std::move(y), [stacks = std::move(stacks)](const StepCall& call) {
      multiply(stacks, call.input<float>(0), call.input<float>(1), call.output<float>(0),
               call.pool);
      return Status::ok();
    });
  }

 private:
  static void multiply(const Stacks& s, const float* a, const float* b, float* y,
                       ThreadPool& pool) {
    const std::int64_t count = product_of(s.batch, 0, s.batch.size());
    const auto products = [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        SgemmCall call;
        call.m = s.m;
        call.n = s.n;
        call.k = s.k;
        call.a = a + matrix_index(s.a, s.batch, i) * s.m * s.k;
        call.b = b + matrix_index(s.b, s.batch, i) * s.k * s.n;
        call.y = y + i * s.m * s.n;
        sgemm(call);
      }
    };
    // Many small products share the threads better whole than each in parts.
    const bool side_by_side = count >= pool.threads();
    const OpenblasThreads threads(side_by_side ? 1 : pool.lend());
    if (side_by_side) {
      pool.parallel_for(count, 1, products);
    } else {
      products(0, count);
    }
  }

  std::unique_ptr<FloatMatrix> matrix_;
};

}  // namespace

Result<std::unique_ptr<Op>> make_matmul(const Graph& graph, const Node& node) {
  PBATCH_RETURN_IF_ERROR(check_arity(node, 2, 2));
  std::unique_ptr<FloatMatrix> matrix;
  const Tensor* b = constant_input(graph, node, 1);
  if (b != nullptr && b->dtype() == DType::f32 && b->rank() == 2) {
    PBATCH_ASSIGN_OR_RETURN(matrix, FloatMatrix::create(*b, FloatMatrix::Layout::cols_rows));
  }
  return std::unique_ptr<Op>(new MatMul(std::move(matrix)));
}

}  // namespace pbatch
