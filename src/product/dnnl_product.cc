#include "product/dnnl_product.h"

#include <mutex>
#include <string>

#include "base/recent.h"
#include "product/dnnl_descriptions.h"
#include "product/dnnl_runtime.h"

namespace pbatch {
namespace {

using dnnl::memory;
constexpr std::size_t kKeptBatchSizes = 8;

struct ProductKey {
  std::int64_t batch;
  int threads;  // oneDNN splits the work when it makes a primitive
  bool bias;
  friend bool operator==(const ProductKey&, const ProductKey&) = default;
};

struct Product {
  dnnl::matmul::primitive_desc desc;
  dnnl::matmul primitive;
  std::shared_ptr<const memory> weights;  // shared by primitives that want the same format
};

dnnl::matmul::primitive_desc describe_product(const ProductKey& key, std::int64_t rows,
                                              std::int64_t cols) {
  constexpr auto f32 = memory::data_type::f32;
  const memory::desc x({key.batch, cols}, f32, memory::format_tag::ab);
  const memory::desc w({cols, rows}, f32, memory::format_tag::any);
  const memory::desc y({key.batch, rows}, f32, memory::format_tag::ab);
  const memory::desc bias({1, rows}, f32, memory::format_tag::ab);
  return describe_matmul(x, w, key.bias ? &bias : nullptr, y);
}

}  // namespace

struct DnnlProducts::Impl {
  const float* weights;
  std::int64_t rows, cols;
  bool transposed;
  std::mutex mutex;
  Recent<ProductKey, Product> recent{kKeptBatchSizes};

  std::shared_ptr<const memory> weights_as(const memory::desc& wanted) const {
    std::shared_ptr<const memory> found;
    recent.any_of([&](const ProductKey&, const Product& product) {
      if (product.weights->get_desc() == wanted) found = product.weights;
      return found != nullptr;
    });
    if (found != nullptr) return found;
    const memory::desc plain({cols, rows}, memory::data_type::f32,
                             transposed ? memory::format_tag::ab : memory::format_tag::ba);
    const memory original = dnnl_view(plain, weights);
    if (plain == wanted) return std::make_shared<const memory>(original);
    return std::make_shared<const memory>(dnnl_reordered(original, wanted));
  }

  std::shared_ptr<const Product> get(const ProductKey& key) {
    const std::lock_guard lock(mutex);
    if (auto product = recent.find(key)) return product;
    auto product = std::make_shared<Product>();
    product->desc = describe_product(key, rows, cols);
    product->primitive = dnnl::matmul(product->desc);
    product->weights = weights_as(product->desc.weights_desc());
    recent.add(key, product);
    return product;
  }
};

DnnlProducts::DnnlProducts(const float* weights, std::int64_t rows, std::int64_t cols,
                           bool transposed)
    : impl_(new Impl{weights, rows, cols, transposed}) {}

DnnlProducts::~DnnlProducts() = default;

Status DnnlProducts::multiply(const FloatGemmCall& call, int threads, BufferPool& buffers) {
  const auto name = [&] {
    return "a product of " + std::to_string(call.batch) + " x " + std::to_string(impl_->cols) +
           " by " + std::to_string(impl_->cols) + " x " + std::to_string(impl_->rows);
  };
  return dnnl_guarded(name, [&] {
    const OmpThreads guard(threads);
    const ProductKey key{call.batch, threads, call.bias != nullptr};
    const std::shared_ptr<const Product> product = impl_->get(key);
    DnnlArgs args{{DNNL_ARG_SRC, dnnl_view(product->desc.src_desc(), call.x)},
                  {DNNL_ARG_WEIGHTS, *product->weights},
                  {DNNL_ARG_DST, dnnl_view(product->desc.dst_desc(), call.y)}};
    if (call.bias != nullptr) {
      args.emplace(DNNL_ARG_BIAS, dnnl_view(product->desc.bias_desc(), call.bias));
    }
    return dnnl_execute(product->primitive, product->desc.scratchpad_desc(), std::move(args),
                        buffers);
  });
}

void DnnlProducts::forget(std::int64_t batch) {
  const std::lock_guard lock(impl_->mutex);
  impl_->recent.erase_if([&](const ProductKey& key) { return key.batch == batch; });
}

}  // namespace pbatch
