#include "product/int8_product.h"

#include <string>
#include <utility>

#include "product/dnnl_descriptions.h"
#include "product/dnnl_runtime.h"

namespace pbatch {

using dnnl::memory;

struct Int8Product::Impl {
  int threads = 1;
  std::int64_t rows = 0, cols = 0, batch = 0;
  std::vector<std::uint8_t> x;
  std::vector<std::int32_t> y;
  memory weights;
  dnnl::matmul primitive;
  DnnlArgs args;
  dnnl::stream stream{dnnl_cpu()};
};

namespace {

std::string what(std::int64_t rows, std::int64_t cols) {
  return "an int8 product with a matrix of " + std::to_string(rows) + " x " + std::to_string(cols);
}

}  // namespace

int int8_activation_bits() { return dnnl_has_vnni() ? 8 : 7; }

Int8Product::Int8Product(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Int8Product::~Int8Product() = default;

Result<std::unique_ptr<Int8Product>> Int8Product::create(std::int64_t rows, std::int64_t cols,
                                                         std::int64_t batch,
                                                         const std::int8_t* weights, int threads) {
  std::unique_ptr<Int8Product> product;
  const Status status = dnnl_guarded(
      [&] { return what(rows, cols); },
      [&] {
        const OmpThreads guard(threads);
        auto impl = std::make_unique<Impl>();
        impl->threads = threads;
        impl->rows = rows;
        impl->cols = cols;
        impl->batch = batch;
        impl->x.resize(static_cast<std::size_t>(batch * cols));
        impl->y.resize(static_cast<std::size_t>(batch * rows));
        const memory::desc x({batch, cols}, memory::data_type::u8, memory::format_tag::ab);
        const memory::desc w({cols, rows}, memory::data_type::s8, memory::format_tag::any);
        const memory::desc y({batch, rows}, memory::data_type::s32, memory::format_tag::ab);
        const dnnl::matmul::primitive_desc desc = describe_matmul(x, w, nullptr, y);
        impl->primitive = dnnl::matmul(desc);
        const memory::desc plain({cols, rows}, memory::data_type::s8, memory::format_tag::ba);
        impl->weights = dnnl_reordered(dnnl_view(plain, weights), desc.weights_desc());
        impl->args = {{DNNL_ARG_SRC, dnnl_view(x, impl->x.data())},
                      {DNNL_ARG_WEIGHTS, impl->weights},
                      {DNNL_ARG_DST, dnnl_view(y, impl->y.data())},
                      {DNNL_ARG_SCRATCHPAD, memory(desc.scratchpad_desc(), dnnl_cpu())}};
        product.reset(new Int8Product(std::move(impl)));
        return Status::ok();
      });
  if (!status) return status;
  return product;
}

std::span<std::uint8_t> Int8Product::x() { return impl_->x; }

std::span<const std::int32_t> Int8Product::y() { return impl_->y; }

std::int64_t Int8Product::weight_bytes() const { return impl_->rows * impl_->cols; }

Status Int8Product::run() {
  return dnnl_guarded([&] { return what(impl_->rows, impl_->cols); },
                      [&] {
                        const OmpThreads guard(impl_->threads);
                        impl_->primitive.execute(impl_->stream, impl_->args);
                        impl_->stream.wait();
                        return Status::ok();
                      });
}

}  // namespace pbatch
