// MatMul: as numpy.matmul, float32.
#include <utility>

#include "op/float_checks.h"
#include "op/matrix/matrix_stacks.h"
#include "op/node_checks.h"
#include "op/op.h"
#include "product/dnnl_stack_product.h"
#include "product/float_gemm.h"
#include "product/openblas.h"

namespace pbatch {
namespace {

class MatMul final : public Op {
 public:
  explicit MatMul(std::unique_ptr<FloatMatrix> matrix) : matrix_(std::move(matrix)) {}

  Result<StepPlan> plan(const PlanRequest& request) const override {
    const Tensor* a = input_or_null(request.inputs, 0);
    const Tensor* b = input_or_null(request.inputs, 1);
    PBATCH_RETURN_IF_ERROR(expect_float(a, "input A"));
    PBATCH_RETURN_IF_ERROR(expect_float(b, "input B"));
    PBATCH_ASSIGN_OR_RETURN(MatrixStacks stacks, match_stacks(*a, *b));
    TensorType y{DType::f32, stacks.result};
    if (product_of(y.shape, 0, y.shape.size()) == 0) {
      return StepPlan::of(std::move(y), [](const StepCall&) { return Status::ok(); });
    }
    const bool by_row = request.context.float_backend == FloatBackend::by_row;
    const bool one_on_the_right = product_of(stacks.b, 0, stacks.b.size()) == 1;
    if (matrix_ != nullptr) {
      return StepPlan::of(
          std::move(y), [this, m = stacks.m * product_of(stacks.batch, 0, stacks.batch.size()),
                         backend = request.context.float_backend](const StepCall& call) {
            return matrix_->multiply(
                {call.input<float>(0), m, call.output<float>(0), nullptr, Activation::none},
                backend, call.pool, call.buffers);
          });
    }
    if (one_on_the_right && !by_row && request.view(0) == nullptr) {  // all rows are one matrix's
      stacks.m *= product_of(stacks.a, 0, stacks.a.size());
      stacks.a.clear();
      stacks.b.clear();
      stacks.batch.clear();
    }
    Operands operands{stacked_matrices(stacks.a, stacks.m, stacks.k, request.view(0)),
                      stacked_matrices(stacks.b, stacks.k, stacks.n, request.view(1))};
    if (one_on_the_right && by_row) {  // as many products of one row
      operands.a.batch_strides.push_back(operands.a.transposed ? 1 : operands.a.stride);
      operands.b.batch_strides.push_back(0);
      stacks.batch.push_back(std::exchange(stacks.m, 1));
    }
    for (const std::int64_t size : {stacks.m, operands.a.stride, operands.b.stride}) {
      PBATCH_RETURN_IF_ERROR(check_sgemm(size, stacks.n, stacks.k));
    }
    PBATCH_ASSIGN_OR_RETURN(auto together, product_together(request.context, stacks, operands));
    if (together != nullptr) {
      return StepPlan::of(std::move(y), [together, a = operands.a.offset,
                                         b = operands.b.offset](const StepCall& call) {
        if (together->threads() > 1) call.pool.lend();
        return together->multiply(call.input<float>(0) + a, call.input<float>(1) + b,
                                  call.output<float>(0), call.buffers);
      });
    }
    return StepPlan::of(std::move(y), [stacks = std::move(stacks), operands = std::move(operands),
                                       by_row](const StepCall& call) {
      multiply(stacks, operands, by_row, call);
      return Status::ok();
    });
  }

  // A constant matrix is prepared for rows of A that lie one after the other.
  bool takes_view(const Tensor& input, const ElementView& view) const override {
    return matrix_ == nullptr && input.dtype() == DType::f32 && are_matrices(input.shape(), view);
  }

 private:
  struct Operands {
    StackedMatrices a, b;
  };

  // By oneDNN, unless it was not asked for, has no fast code, or takes longer to begin than to
  // multiply.
  static Result<std::shared_ptr<const DnnlStackProduct>> product_together(
      const RunContext& context, const MatrixStacks& s, const Operands& operands) {
    constexpr std::int64_t kWorthACall = 1 << 15, kWorthThreads = 1 << 20;
    const std::int64_t work = s.m * s.k * s.n;
    const bool asked_for = context.float_backend == FloatBackend::onednn;
    const bool refused = context.float_backend == FloatBackend::openblas ||
                         context.float_backend == FloatBackend::by_row;
    if (refused || s.m == 1 || s.n == 1 || s.k == 0 || (work < kWorthACall && !asked_for)) {
      return std::shared_ptr<const DnnlStackProduct>();
    }
    const auto lies = [](const StackedMatrices& m) {
      return StackOperand{m.batch_strides, m.transposed ? 1 : m.stride,
                          m.transposed ? m.stride : 1};
    };
    const bool threads = work * product_of(s.batch, 0, s.batch.size()) >= kWorthThreads;
    return DnnlStackProduct::create(s.batch, s.m, s.k, s.n, lies(operands.a), lies(operands.b),
                                    threads ? context.pool.threads() : 1);
  }

  // `one_by_one`: each product on one thread.
  static void multiply(const MatrixStacks& s, const Operands& operands, bool one_by_one,
                       const StepCall& step) {
    const auto* const a = step.input<float>(0);
    const auto* const b = step.input<float>(1);
    auto* const y = step.output<float>(0);
    const std::int64_t count = product_of(s.batch, 0, s.batch.size());
    const auto products = [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        SgemmCall call;
        call.m = s.m;
        call.n = s.n;
        call.k = s.k;
        call.transpose_a = operands.a.transposed;
        call.transpose_b = operands.b.transposed;
        call.a_stride = operands.a.stride;
        call.b_stride = operands.b.stride;
        call.a = a + operands.a.first(s.batch, i);
        call.b = b + operands.b.first(s.batch, i);
        call.y = y + i * s.m * s.n;
        sgemm(call);
      }
    };
    // Many small products share the threads better whole than each in parts.
    const bool side_by_side = one_by_one || count >= step.pool.threads();
    const OpenblasThreads threads(side_by_side ? 1 : step.pool.lend());
    if (side_by_side) {
      step.pool.parallel_for(count, 1, products);
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
