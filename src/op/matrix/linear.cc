// pbatch.Linear: Y [..., N] = X [..., K] W + bias, W [K, N] constant, then the activation.
#include "op/float_checks.h"
#include "op/node_checks.h"
#include "op/op.h"
#include "product/float_gemm.h"

namespace pbatch {
namespace {

class Linear final : public Op {
 public:
  Linear(std::unique_ptr<FloatMatrix> matrix, const Tensor* bias, Activation activation)
      : matrix_(std::move(matrix)), activation_(activation) {
    if (bias != nullptr) bias_ = *bias;
  }

  Result<StepPlan> plan(const PlanRequest& request) const override {
    const Tensor* x = input_or_null(request.inputs, 0);
    PBATCH_RETURN_IF_ERROR(expect_float(x, "input X"));
    if (x->rank() == 0 || x->shape().back() != matrix_->cols()) {
      return Status(ErrorCode::shape_mismatch,
                    "input X is " + describe_tensor(*x) + ", but W is " +
                        shape_to_string({matrix_->cols(), matrix_->rows()}),
                    "feed the shape that the network was trained on");
    }
    Shape shape = x->shape();
    shape.back() = matrix_->rows();
    FloatGemmCall call;
    call.batch = product_of(shape, 0, shape.size() - 1);
    if (bias_.size() != 0) call.bias = bias_.data<float>();
    call.activation = activation_;
    const FloatBackend backend = request.context.float_backend;
    StepPlan plan =
        StepPlan::of({DType::f32, std::move(shape)}, [this, call, backend](const StepCall& step) {
          FloatGemmCall now = call;
          now.x = step.input<float>(0);
          now.y = step.output<float>(0);
          return matrix_->multiply(now, backend, step.pool, step.buffers);
        });
    plan.info.rows = matrix_->rows();
    plan.info.cols = matrix_->cols();
    plan.info.macs = matrix_->rows() * matrix_->cols() * call.batch;
    return plan;
  }

 private:
  std::unique_ptr<FloatMatrix> matrix_;
  Tensor bias_;
  Activation activation_;
};

}  // namespace

Result<std::unique_ptr<Op>> make_linear_op(const Graph& graph, const Node& node) {
  PBATCH_RETURN_IF_ERROR(check_arity(node, 2, 3));
  const Tensor* weights = constant_input(graph, node, 1);
  if (weights == nullptr) {
    return Status(ErrorCode::malformed, "the weights of pbatch.Linear are not constant",
                  "export or quantize the network again");
  }
  PBATCH_ASSIGN_OR_RETURN(auto matrix,
                          FloatMatrix::create(*weights, FloatMatrix::Layout::cols_rows));
  const Tensor* bias = constant_input(graph, node, 2);
  if (has_input(node, 2) && bias == nullptr) {
    return Status(ErrorCode::malformed, "the bias of pbatch.Linear is not constant",
                  "export or quantize the network again");
  }
  if (bias != nullptr) {
    PBATCH_RETURN_IF_ERROR(expect_float(bias, "the bias"));
    if (bias->shape() != Shape{matrix->rows()}) {
      return Status(ErrorCode::shape_mismatch,
                    "the bias is " + shape_to_string(bias->shape()) + ", but W is " +
                        shape_to_string(weights->shape()),
                    "export or quantize the network again");
    }
  }
  PBATCH_ASSIGN_OR_RETURN(const Activation activation, read_activation(node));
  return std::unique_ptr<Op>(new Linear(std::move(matrix), bias, activation));
}

}  // namespace pbatch
