// pbatch.BitLinear: Y [..., rows] = X [..., cols] W^T + bias, W as bit-layers.
#include "op/bits/bit_layer.h"
#include "op/op.h"
#include "product/bit_product.h"
#include "product/input_observer.h"

namespace pbatch {
namespace {

class BitLinear final : public Op {
 public:
  explicit BitLinear(std::unique_ptr<BitLayer> layer, std::string name)
      : layer_(std::move(layer)), name_(std::move(name)) {}

  Result<StepPlan> plan(const PlanRequest& request) const override {
    const LayerPrecision& precision = request.context.precision.of(name_);
    if (precision.weight_bits == 32) return layer_->plan_float(request);
    const Tensor& x = *request.inputs[0];
    const BitMatrix& m = layer_->matrix();
    if (x.dtype() != DType::f32 || x.rank() == 0 || x.shape().back() != m.cols) {
      return Status(ErrorCode::shape_mismatch,
                    std::string("input is ") + dtype_name(x.dtype()) + " " +
                        shape_to_string(x.shape()) + " but the matrix takes float32 vectors of " +
                        std::to_string(m.cols),
                    "feed the shape that the network was trained on");
    }
    BitGemmCall call = layer_->call(precision);
    call.ldx = m.cols;
    call.ldy = m.rows;
    call.batch = x.size() / m.cols;
    Shape shape = x.shape();
    shape.back() = m.rows;
    const TensorType y{DType::f32, std::move(shape)};
    if (call.batch == 0) return StepPlan::of(y, [](const StepCall&) { return Status::ok(); });
    PBATCH_ASSIGN_OR_RETURN(const auto matrix, layer_->weights().get(precision, call.batch));
    StepPlan plan = StepPlan::of(y, [matrix, call, observed = &m](const StepCall& step) {
      BitGemmCall now = call;
      if (InputObserver* const observer = ObserveInputs::of_this_thread()) {
        observer->observe(*observed, 0, call.ldy, step.input<float>(0), call.batch, call.ldx);
      }
      now.x = step.input<float>(0);
      now.y = step.output<float>(0);
      now.packed = step.packed;
      now.packed_ready = step.packed_ready;
      now.phases = step.phases;
      return bit_gemm(*matrix, now, step.pool, step.buffers, step.scratch);
    });
    plan.scratch_bytes = bit_gemm_scratch_bytes(*matrix, call.batch, call.activation_bits);
    plan.packed = BitProduct::key_of(*matrix, call.batch, call.activation_bits);
    plan.info = layer_->weights().info(*matrix, call.activation_bits, call.batch);
    return plan;
  }

  void choose_kernels_by(const KernelPolicy& policy) override { layer_->choose_kernels_by(policy); }

 private:
  std::unique_ptr<BitLayer> layer_;
  std::string name_;
};

}  // namespace

Result<std::unique_ptr<Op>> make_bit_linear(const Graph& graph, const Node& node) {
  PBATCH_ASSIGN_OR_RETURN(auto layer, BitLayer::create(graph, node));
  return std::unique_ptr<Op>(new BitLinear(std::move(layer), node.name));
}

}  // namespace pbatch
