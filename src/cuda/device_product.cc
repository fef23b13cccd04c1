#include "cuda/device_product.h"

#include "pack/layout.h"

namespace pbatch::cuda {
namespace {

constexpr int kMostVectors = 65535;  // rows of a grid of blocks

}  // namespace

Result<DeviceProduct> DeviceProduct::create(const DeviceMatrix& matrix, int weight_bits,
                                            int activation_bits, int batch, Method method,
                                            const DeviceLimits& device) {
  if (batch > kMostVectors) {
    return Status(ErrorCode::invalid_argument, "a product on the GPU has at most 65535 vectors",
                  "use smaller batches");
  }
  DeviceProduct product;
  ProductArgs& args = product.args_;
  matrix.fill(weight_bits, args);
  args.activation_bits = activation_bits;
  args.batch = batch;
  product.cols_ = matrix.cols();
  product.method_ = method;
  product.plan_ = plan_product(
      {matrix.rows(), matrix.cols(), matrix.run_blocks(), weight_bits, activation_bits, batch},
      method, device);
  const ProductPlan& plan = product.plan_;
  const std::int64_t sums =
      halves_of(activation_bits) * args.slabs * slab_runs(matrix.run_blocks());
  PBATCH_ASSIGN_OR_RETURN(
      product.activations_,
      DeviceBuffer::allocate(batch * activation_words(args.slabs, activation_bits) * 4));
  PBATCH_ASSIGN_OR_RETURN(product.run_sums_, DeviceBuffer::allocate(batch * sums * 4));
  PBATCH_ASSIGN_OR_RETURN(product.scales_, DeviceBuffer::allocate(batch * 4));
  PBATCH_ASSIGN_OR_RETURN(product.not_finite_, DeviceBuffer::zeros(4));
  if (plan.term_bytes > 0) {
    PBATCH_ASSIGN_OR_RETURN(product.terms_, DeviceBuffer::allocate(plan.term_bytes));
  }
  if (plan.arrivals > 0) {
    PBATCH_ASSIGN_OR_RETURN(product.arrivals_, DeviceBuffer::zeros(plan.arrivals * 4));
  }
  args.activations = product.activations_.as<std::uint32_t>();
  args.run_sums = product.run_sums_.as<std::int32_t>();
  args.activation_scales = product.scales_.as<float>();
  args.terms = product.terms_.as<float>();
  args.arrivals = product.arrivals_.as<std::uint32_t>();
  args.splits = plan.splits;
  return product;
}

Status DeviceProduct::quantize(const float* x, std::int64_t ldx, int count, Stream stream) {
  QuantizeArgs args = {};
  args.x = x;
  args.ldx = ldx;
  args.cols = cols_;
  args.slabs = args_.slabs;
  args.run_blocks = args_.run_blocks;
  args.activation_bits = args_.activation_bits;
  args.batch = count;
  args.activations = activations_.as<std::uint32_t>();
  args.run_sums = run_sums_.as<std::int32_t>();
  args.activation_scales = scales_.as<float>();
  args.not_finite = not_finite_.as<std::uint32_t>();
  return launch_quantize(args, method_, stream);
}

Status DeviceProduct::multiply(const ProductOutput& out, int count, Stream stream) {
  ProductArgs args = args_;
  args.batch = count;
  args.y = out.y;
  args.ldy = out.ldy;
  args.bias = out.bias;
  args.activation = out.activation;
  return launch_product(args, plan_, stream);
}

Status DeviceProduct::finish(Stream stream) {
  PBATCH_RETURN_IF_ERROR(synchronize(stream));
  std::uint32_t not_finite = 0;
  PBATCH_RETURN_IF_ERROR(copy_to_host(&not_finite, not_finite_.as<void>(), sizeof not_finite));
  if (not_finite == 0) return Status::ok();
  PBATCH_RETURN_IF_ERROR(clear(not_finite_.as<void>(), sizeof not_finite, stream));
  return {ErrorCode::not_finite, "the input of this node holds a NaN or an infinity",
          "check the values that go into the network"};
}

}  // namespace pbatch::cuda
