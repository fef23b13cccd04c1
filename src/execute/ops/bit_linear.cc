// pbatch.BitLinear: Y [..., rows] = X [..., cols] W^T + bias, W as bit-layers.
#include "execute/op.h"
#include "execute/ops/bit_layer.h"

namespace pbatch {
namespace {

class BitLinear final : public Op {
 public:
  explicit BitLinear(std::unique_ptr<BitLayer> layer, std::string name)
      : layer_(std::move(layer)), name_(std::move(name)) {}

  Status run(RunContext& context, std::span<const Tensor* const> inputs,
             std::span<Tensor> outputs) const override {
    const LayerPrecision& precision = context.precision.of(name_);
    if (precision.weight_bits == 32) return layer_->run_float(context, *inputs[0], outputs);
    const Tensor& x = *inputs[0];
    const BitMatrix& m = layer_->matrix();
    if (x.dtype() != DType::f32 || x.rank() == 0 || x.shape().back() != m.cols) {
      return {ErrorCode::shape_mismatch,
              std::string("input is ") + dtype_name(x.dtype()) + " " + shape_to_string(x.shape()) +
                  " but the matrix takes float32 vectors of " + std::to_string(m.cols),
              "feed the shape that the network was trained on"};
    }
    Shape shape = x.shape();
    shape.back() = m.rows;
    PBATCH_ASSIGN_OR_RETURN(outputs[0], context.allocate(DType::f32, std::move(shape)));
    BitGemmCall call = layer_->call(precision);
    call.x = x.data<float>();
    call.ldx = m.cols;
    call.y = outputs[0].mutable_data<float>();
    call.ldy = m.rows;
    call.batch = x.size() / m.cols;
    call.packed = context.packed_input;
    if (call.batch == 0) return Status::ok();
    PBATCH_ASSIGN_OR_RETURN(const auto matrix, layer_->weights().get(precision, call.batch));
    return bit_gemm(*matrix, call, context.pool, context.buffers);
  }

  void choose_kernels_by(const KernelPolicy& policy) override { layer_->choose_kernels_by(policy); }
  bool packs_first_input() const override { return true; }

  Status prepare(const LayerPrecision& precision) const override {
    if (precision.weight_bits == 32) return layer_->prepare_float();
    return layer_->weights().get(precision, 1).status();
  }

  Result<PlanStep> plan(const LayerPrecision& precision, std::int64_t batch, int) const override {
    return layer_->weights().plan(precision, batch);
  }

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
