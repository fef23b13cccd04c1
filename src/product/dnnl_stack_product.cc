#include "product/dnnl_stack_product.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "product/dnnl_descriptions.h"
#include "product/dnnl_runtime.h"

namespace pbatch {
namespace {

using dnnl::memory;

std::string name_of(std::int64_t m, std::int64_t k, std::int64_t n) {
  return "products of " + std::to_string(m) + " x " + std::to_string(k) + " by " +
         std::to_string(k) + " x " + std::to_string(n);
}

// Dimensions of the batch of 1 are left out: oneDNN has faster code for fewer.
memory::desc describe_stack(const Shape& batch, const StackOperand& x, std::int64_t rows,
                            std::int64_t cols) {
  memory::dims dims, strides;
  for (std::size_t d = 0; d < batch.size(); ++d) {
    if (batch[d] == 1) continue;
    dims.push_back(x.batch_strides[d] == 0 ? 1 : batch[d]);
    strides.push_back(x.batch_strides[d] == 0 ? rows * cols : x.batch_strides[d]);
  }
  dims.insert(dims.end(), {rows, cols});
  strides.insert(strides.end(), {x.row_stride, x.col_stride});
  return {dims, memory::data_type::f32, strides};
}

StackOperand without_gaps(const Shape& batch, std::int64_t rows, std::int64_t cols) {
  StackOperand x{std::vector<std::int64_t>(batch.size()), cols, 1};
  std::int64_t stride = rows * cols;
  for (std::size_t d = batch.size(); d-- > 0; stride *= batch[d]) x.batch_strides[d] = stride;
  return x;
}

}  // namespace

struct DnnlStackProduct::Impl {
  dnnl::matmul::primitive_desc desc;
  dnnl::matmul primitive;
  std::string name;
  int threads;
};

DnnlStackProduct::DnnlStackProduct(std::unique_ptr<const Impl> impl) : impl_(std::move(impl)) {}
DnnlStackProduct::~DnnlStackProduct() = default;

Result<std::shared_ptr<const DnnlStackProduct>> DnnlStackProduct::create(
    const Shape& batch, std::int64_t m, std::int64_t k, std::int64_t n, const StackOperand& a,
    const StackOperand& b, int threads) {
  std::shared_ptr<const DnnlStackProduct> made;
  if (std::count_if(batch.begin(), batch.end(), [](auto d) { return d != 1; }) + 2 >
      DNNL_MAX_NDIMS) {
    return made;
  }
  const auto name = [&] { return name_of(m, k, n); };
  PBATCH_RETURN_IF_ERROR(dnnl_guarded(name, [&] {
    const OmpThreads guard(threads);
    auto impl = std::make_unique<Impl>();
    impl->desc = describe_matmul(describe_stack(batch, a, m, k), describe_stack(batch, b, k, n),
                                 nullptr, describe_stack(batch, without_gaps(batch, m, n), m, n));
    if (std::string_view(impl->desc.impl_info_str()).substr(0, 3) == "ref") return Status::ok();
    impl->primitive = dnnl::matmul(impl->desc);
    impl->name = name();
    impl->threads = threads;
    made.reset(new DnnlStackProduct(std::move(impl)));
    return Status::ok();
  }));
  return made;
}

int DnnlStackProduct::threads() const { return impl_->threads; }

Status DnnlStackProduct::multiply(const float* a, const float* b, float* y,
                                  BufferPool& buffers) const {
  return dnnl_guarded([&] { return impl_->name; },
                      [&] {
                        const OmpThreads guard(impl_->threads);
                        const auto& desc = impl_->desc;
                        DnnlArgs args{{DNNL_ARG_SRC, dnnl_view(desc.src_desc(), a)},
                                      {DNNL_ARG_WEIGHTS, dnnl_view(desc.weights_desc(), b)},
                                      {DNNL_ARG_DST, dnnl_view(desc.dst_desc(), y)}};
                        return dnnl_execute(impl_->primitive, desc.scratchpad_desc(),
                                            std::move(args), buffers);
                      });
}

}  // namespace pbatch
