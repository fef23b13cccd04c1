#include "tools/bench/baselines.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "product/dynamic_int8.h"
#include "product/float_gemm.h"
#include "product/int8_product.h"

namespace pbatch {
namespace {

constexpr std::array<std::string_view, 4> kNames{"onednn_f32", "openblas_f32", "onednn_int8",
                                                 "onednn_int8_dynamic"};

std::size_t count_of(std::int64_t a, std::int64_t b) { return static_cast<std::size_t>(a * b); }

class FloatBaseline final : public Baseline {
 public:
  FloatBaseline(const BaselineProblem& problem, Tensor weights, std::unique_ptr<FloatMatrix> matrix,
                FloatBackend backend, ThreadPool& pool, BufferPool& buffers)
      : problem_(problem),
        weights_(std::move(weights)),
        matrix_(std::move(matrix)),
        backend_(backend),
        pool_(pool),
        buffers_(buffers),
        y_(count_of(problem.batch, problem.rows)) {}

  static Result<std::unique_ptr<Baseline>> create(const BaselineProblem& p, FloatBackend backend,
                                                  ThreadPool& pool, BufferPool& buffers) {
    PBATCH_ASSIGN_OR_RETURN(
        Tensor weights,
        Tensor::from_floats({p.rows, p.cols}, {p.weights, count_of(p.rows, p.cols)}));
    PBATCH_ASSIGN_OR_RETURN(auto matrix,
                            FloatMatrix::create(weights, FloatMatrix::Layout::rows_cols));
    return std::unique_ptr<Baseline>(
        new FloatBaseline(p, std::move(weights), std::move(matrix), backend, pool, buffers));
  }

  Status run() override {
    return matrix_->multiply({problem_.x, problem_.batch, y_.data(), nullptr, Activation::none},
                             backend_, pool_, buffers_);
  }
  BaselineAnswer answer() const override {
    const auto w = weights_.span<float>();
    return {{w.begin(), w.end()}, {problem_.x, problem_.x + problem_.batch * problem_.cols}, y_};
  }
  int weight_bits() const override { return 32; }
  int activation_bits() const override { return 32; }
  std::int64_t weight_bytes() const override { return problem_.rows * problem_.cols * 4; }

 private:
  BaselineProblem problem_;
  Tensor weights_;
  std::unique_ptr<FloatMatrix> matrix_;
  FloatBackend backend_;
  ThreadPool& pool_;
  BufferPool& buffers_;
  std::vector<float> y_;
};

// Integer code of v when `most` becomes `top`.
float code_of(float v, float most, float top) {
  return most > 0.0F ? std::clamp(std::nearbyint(v / most * top), -top, top) : 0.0F;
}

float greatest(const float* values, std::size_t count) {
  float most = 0.0F;
  for (std::size_t i = 0; i < count; ++i) most = std::max(most, std::fabs(values[i]));
  return most;
}

class IntegerBaseline final : public Baseline {
 public:
  static Result<std::unique_ptr<Baseline>> create(const BaselineProblem& p, int threads) {
    auto made = std::make_unique<IntegerBaseline>();
    const std::size_t weights = count_of(p.rows, p.cols), inputs = count_of(p.batch, p.cols);
    const float most = greatest(p.weights, weights);
    for (std::size_t i = 0; i < weights; ++i) {
      made->codes_.push_back(static_cast<std::int8_t>(code_of(p.weights[i], most, 127.0F)));
    }
    PBATCH_ASSIGN_OR_RETURN(
        made->product_, Int8Product::create(p.rows, p.cols, p.batch, made->codes_.data(), threads));
    // 7 bits, so that no CPU saturates; the time does not depend on the values.
    const float most_x = greatest(p.x, inputs);
    for (std::size_t i = 0; i < inputs; ++i) {
      made->product_->x()[i] = static_cast<std::uint8_t>(64.0F + code_of(p.x[i], most_x, 63.0F));
    }
    return std::unique_ptr<Baseline>(std::move(made));
  }

  Status run() override { return product_->run(); }
  BaselineAnswer answer() const override {
    BaselineAnswer answer{
        {codes_.begin(), codes_.end()}, {product_->x().begin(), product_->x().end()}, {}};
    for (const std::int32_t y : product_->y()) answer.y.push_back(static_cast<float>(y));
    return answer;
  }
  int weight_bits() const override { return 8; }
  int activation_bits() const override { return 8; }
  std::int64_t weight_bytes() const override { return product_->weight_bytes(); }

 private:
  std::vector<std::int8_t> codes_;
  std::unique_ptr<Int8Product> product_;
};

class DynamicBaseline final : public Baseline {
 public:
  DynamicBaseline(const BaselineProblem& problem, DynamicInt8Linear layer)
      : x_(problem.x), layer_(std::move(layer)), y_(count_of(problem.batch, problem.rows)) {}

  static Result<std::unique_ptr<Baseline>> create(const BaselineProblem& p, int threads) {
    PBATCH_ASSIGN_OR_RETURN(DynamicInt8Linear layer,
                            DynamicInt8Linear::create(p.rows, p.cols, p.batch, p.weights, nullptr,
                                                      Activation::none, threads));
    return std::unique_ptr<Baseline>(new DynamicBaseline(p, std::move(layer)));
  }

  Status run() override { return layer_.run(x_, y_.data()); }
  BaselineAnswer answer() const override { return {layer_.weights(), layer_.activations(), y_}; }
  int weight_bits() const override { return 8; }
  int activation_bits() const override { return 8; }
  std::int64_t weight_bytes() const override { return layer_.weight_bytes(); }

 private:
  const float* x_;
  DynamicInt8Linear layer_;
  std::vector<float> y_;
};

}  // namespace

std::span<const std::string_view> baseline_names() { return kNames; }

Result<std::unique_ptr<Baseline>> make_baseline(std::string_view name,
                                                const BaselineProblem& problem, ThreadPool& pool,
                                                BufferPool& buffers) {
  if (name == kNames[0]) {
    return FloatBaseline::create(problem, FloatBackend::onednn, pool, buffers);
  }
  if (name == kNames[1]) {
    return FloatBaseline::create(problem, FloatBackend::openblas, pool, buffers);
  }
  if (name == kNames[2]) return IntegerBaseline::create(problem, pool.threads());
  if (name == kNames[3]) return DynamicBaseline::create(problem, pool.threads());
  return Status(ErrorCode::not_found, "there is no baseline '" + std::string(name) + "'",
                "choose onednn_f32, openblas_f32, onednn_int8 or onednn_int8_dynamic");
}

}  // namespace pbatch
