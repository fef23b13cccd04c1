#include "cuda/product.h"

#include "layout/layout.h"

namespace pbatch::cuda {
namespace {

constexpr int kMostVectors = 65535;  // rows of a grid of blocks

}  // namespace

Result<Product> Product::create(const Matrix& matrix, const ProductSettings& settings,
                                Method method, std::uint32_t* flag) {
  if (settings.batch > kMostVectors) {
    return Status(ErrorCode::invalid_argument, "a product on the GPU has at most 65535 vectors",
                  "use smaller batches");
  }
  const std::shared_ptr<Device>& device = matrix.device();
  Product product;
  product.device_ = device;
  product.cols_ = matrix.cols();
  product.flag_ = flag;
  ProductArgs& args = product.args_;
  const std::int64_t blocks =
      settings.blocks >= 0 ? settings.blocks : row_blocks(matrix.rows()) - settings.first_block;
  matrix.fill(settings.weight_bits, settings.first_block, blocks, args);
  args.activation_bits = settings.activation_bits;
  args.batch = settings.batch;
  product.plan_ = plan_product({args.rows, matrix.cols(), matrix.run_blocks(), settings.weight_bits,
                                settings.activation_bits, settings.batch},
                               method, device->limits());
  const ProductPlan& plan = product.plan_;
  const std::int64_t batch = settings.batch;
  const std::int64_t sums =
      halves_of(settings.activation_bits) * args.slabs * slab_runs(matrix.run_blocks());
  PBATCH_ASSIGN_OR_RETURN(
      product.activations_,
      DeviceBuffer::allocate(device,
                             batch * activation_words(args.slabs, settings.activation_bits) * 4));
  PBATCH_ASSIGN_OR_RETURN(product.run_sums_, DeviceBuffer::allocate(device, batch * sums * 4));
  PBATCH_ASSIGN_OR_RETURN(product.scales_, DeviceBuffer::allocate(device, batch * 4));
  if (plan.term_bytes > 0) {
    PBATCH_ASSIGN_OR_RETURN(product.terms_, DeviceBuffer::allocate(device, plan.term_bytes));
  }
  if (plan.arrivals > 0) {
    PBATCH_ASSIGN_OR_RETURN(product.arrivals_, DeviceBuffer::zeros(device, plan.arrivals * 4));
  }
  args.activations = product.activations_.as<std::uint32_t>();
  args.run_sums = product.run_sums_.as<std::int32_t>();
  args.activation_scales = product.scales_.as<float>();
  args.terms = product.terms_.as<float>();
  args.arrivals = product.arrivals_.as<std::uint32_t>();
  args.splits = plan.splits;
  return product;
}

const char* Product::kernel() const {
  switch (plan_.method) {
    case Method::bits:
      return "cuda_bits";
    case Method::bytes:
      return "cuda_bytes";
    case Method::gemm:
      break;
  }
  return "cuda_gemm";
}

QuantizeArgs Product::quantize_args(const float* x, std::int64_t ldx) const {
  QuantizeArgs args = {};
  args.x = x;
  args.ldx = ldx;
  args.cols = cols_;
  args.slabs = args_.slabs;
  args.run_blocks = args_.run_blocks;
  args.activation_bits = args_.activation_bits;
  args.batch = args_.batch;
  args.activations = activations_.as<std::uint32_t>();
  args.run_sums = run_sums_.as<std::int32_t>();
  args.activation_scales = scales_.as<float>();
  args.flag = flag_;
  return args;
}

Status Product::quantize(const float* x, std::int64_t ldx, Stream stream) const {
  return device_->quantize(quantize_args(x, ldx), plan_.method, stream);
}

Status Product::multiply(const ProductOutput& out, Stream stream) const {
  ProductArgs args = args_;
  args.y = out.y;
  args.ldy = out.ldy;
  args.bias = out.bias;
  args.activation = out.activation;
  return device_->multiply(args, plan_, stream);
}

}  // namespace pbatch::cuda
