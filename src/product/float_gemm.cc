#include "product/float_gemm.h"

#include <algorithm>
#include <bit>
#include <chrono>
#include <limits>
#include <string>
#include <vector>

#include "kernel/vector_fns.h"
#include "product/activate.h"
#include "product/dnnl_product.h"
#include "product/dynamic_int8.h"
#include "product/openblas.h"

namespace pbatch {
namespace {

// A choice is worth a few runs of each library, but not a visible pause.
constexpr int kRounds = 5;
constexpr int kLeastRounds = 2;
constexpr double kEnoughSeconds = 0.05;

// Quantizing leaves such matrices float, too.
constexpr std::int64_t kSmallMatrix = 4096, kSmallBatch = 8;

// [cols][rows] if the matrix is small; else an empty tensor.
Tensor small_matrix(const Tensor& weights, FloatMatrix::Layout layout) {
  if (weights.size() >= kSmallMatrix || weights.size() == 0) return {};
  if (layout == FloatMatrix::Layout::cols_rows) return weights;
  const std::int64_t rows = weights.dim(0), cols = weights.dim(1);
  std::vector<float> transposed(static_cast<std::size_t>(rows * cols));
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t c = 0; c < cols; ++c) {
      transposed[static_cast<std::size_t>(c * rows + r)] = weights.data<float>()[r * cols + c];
    }
  }
  Result<Tensor> made = Tensor::from_floats({cols, rows}, transposed);
  return made.is_ok() ? *std::move(made) : Tensor();
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void fill_rows(float* y, std::int64_t batch, std::int64_t rows, const float* bias) {
  for (std::int64_t b = 0; b < batch; ++b, y += rows) {
    if (bias == nullptr) {
      std::fill_n(y, rows, 0.0F);
    } else {
      std::copy_n(bias, rows, y);
    }
  }
}

}  // namespace

FloatMatrix::FloatMatrix(Tensor weights, Layout layout)
    : weights_(std::move(weights)),
      layout_(layout),
      rows_(weights_.dim(layout == Layout::rows_cols ? 0 : 1)),
      cols_(weights_.dim(layout == Layout::rows_cols ? 1 : 0)),
      small_(small_matrix(weights_, layout)),
      products_(std::make_unique<DnnlProducts>(weights_.data<float>(), rows_, cols_,
                                               layout == Layout::cols_rows)) {}

FloatMatrix::~FloatMatrix() = default;

Result<std::unique_ptr<FloatMatrix>> FloatMatrix::create(Tensor weights, Layout layout) {
  if (weights.dtype() != DType::f32 || weights.rank() != 2) {
    return Status(ErrorCode::shape_mismatch,
                  std::string("the weights are ") + dtype_name(weights.dtype()) + " " +
                      shape_to_string(weights.shape()) + ", not a float32 matrix",
                  "export the network with float weights");
  }
  return std::unique_ptr<FloatMatrix>(new FloatMatrix(std::move(weights), layout));
}

Status FloatMatrix::multiply(const FloatGemmCall& call, FloatBackend backend, ThreadPool& pool,
                             BufferPool& buffers) const {
  if (call.batch == 0 || rows_ == 0) return Status::ok();
  if (cols_ == 0) {
    fill_rows(call.y, call.batch, rows_, call.bias);
    activate(call.activation, call.y, call.batch * rows_, pool);
    return Status::ok();
  }
  const bool by_row = backend == FloatBackend::by_row;
  if (small_.rank() == 2 &&
      (by_row || (backend == FloatBackend::fastest && call.batch <= kSmallBatch))) {
    multiply_small(call);
    activate(call.activation, call.y, call.batch * rows_, pool);
    return Status::ok();
  }
  const int threads = pool.lend();
  if (backend == FloatBackend::onednn_int8) return multiply_int8(call, threads);
  if (backend == FloatBackend::fastest) {
    PBATCH_ASSIGN_OR_RETURN(backend, fastest(call, threads, buffers));
  }
  PBATCH_RETURN_IF_ERROR(by_row ? multiply_by_row(call)
                         : backend == FloatBackend::onednn
                             ? products_->multiply(call, threads, buffers)
                             : multiply_openblas(call, threads));
  activate(call.activation, call.y, call.batch * rows_, pool);
  return Status::ok();
}

void FloatMatrix::multiply_small(const FloatGemmCall& call) const {
  fill_rows(call.y, call.batch, rows_, call.bias);
  for (std::int64_t b = 0; b < call.batch; ++b) {
    vector_fns().add_rows(rows_, cols_, call.x + b * cols_, small_.data<float>(), rows_,
                          call.y + b * rows_);
  }
}

// The same call for every row, whatever the batch.
Status FloatMatrix::multiply_by_row(const FloatGemmCall& call) const {
  FloatGemmCall row = call;
  row.batch = 1;
  for (std::int64_t b = 0; b < call.batch; ++b) {
    PBATCH_RETURN_IF_ERROR(multiply_openblas(row, 1));
    row.x += cols_;
    row.y += rows_;
  }
  return Status::ok();
}

Status FloatMatrix::multiply_int8(const FloatGemmCall& call, int threads) const {
  const std::lock_guard lock(mutex_);
  auto& layer = int8_[{threads, call.batch}];
  if (layer == nullptr) {
    std::vector<float> transposed;
    const float* w = weights_.data<float>();
    if (layout_ == Layout::cols_rows) {
      transposed.resize(static_cast<std::size_t>(rows_ * cols_));
      for (std::int64_t c = 0; c < cols_; ++c) {
        for (std::int64_t r = 0; r < rows_; ++r) {
          transposed[static_cast<std::size_t>(r * cols_ + c)] = w[c * rows_ + r];
        }
      }
      w = transposed.data();
    }
    PBATCH_ASSIGN_OR_RETURN(DynamicInt8Linear made,
                            DynamicInt8Linear::create(rows_, cols_, call.batch, w, call.bias,
                                                      call.activation, threads));
    layer = std::make_unique<DynamicInt8Linear>(std::move(made));
  }
  return layer->run(call.x, call.y);
}

Status FloatMatrix::multiply_openblas(const FloatGemmCall& call, int threads) const {
  PBATCH_RETURN_IF_ERROR(check_sgemm(call.batch, rows_, cols_));
  SgemmCall product;
  product.m = call.batch;
  product.n = rows_;
  product.k = cols_;
  product.transpose_b = layout_ == Layout::rows_cols;
  product.a = call.x;
  product.b = weights_.data<float>();
  product.y = call.y;
  if (call.bias != nullptr) {
    fill_rows(call.y, call.batch, rows_, call.bias);
    product.beta = 1.0F;
  }
  const OpenblasThreads guard(threads);
  sgemm(product);
  return Status::ok();
}

Result<FloatBackend> FloatMatrix::fastest(const FloatGemmCall& call, int threads,
                                          BufferPool& buffers) const {
  const std::pair key(threads,
                      static_cast<int>(std::bit_width(static_cast<std::uint64_t>(call.batch))));
  const std::lock_guard lock(mutex_);
  if (const auto it = chosen_.find(key); it != chosen_.end()) return it->second;
  PBATCH_ASSIGN_OR_RETURN(const FloatBackend backend, measure(call, threads, buffers));
  chosen_.emplace(key, backend);
  return backend;
}

Result<FloatBackend> FloatMatrix::measure(const FloatGemmCall& call, int threads,
                                          BufferPool& buffers) const {
  // What one library cannot do is the other's.
  if (!products_->multiply(call, threads, buffers)) return FloatBackend::openblas;
  if (!multiply_openblas(call, threads)) return FloatBackend::onednn;
  double onednn = std::numeric_limits<double>::infinity(), openblas = onednn;
  const auto begin = std::chrono::steady_clock::now();
  for (int round = 0; round < kRounds; ++round) {
    auto start = std::chrono::steady_clock::now();
    PBATCH_RETURN_IF_ERROR(products_->multiply(call, threads, buffers));
    onednn = std::min(onednn, seconds_since(start));
    start = std::chrono::steady_clock::now();
    PBATCH_RETURN_IF_ERROR(multiply_openblas(call, threads));
    openblas = std::min(openblas, seconds_since(start));
    if (round + 1 >= kLeastRounds && seconds_since(begin) > kEnoughSeconds) break;
  }
  if (onednn <= openblas) return FloatBackend::onednn;
  products_->forget(call.batch);
  return FloatBackend::openblas;
}

}  // namespace pbatch
