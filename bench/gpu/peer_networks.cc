#include "bench/gpu/peer_networks.h"

#include <cuda_fp16.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <string>

#include "bench/gpu/graph_timer.h"
#include "bench/gpu/half_gemv.h"
#include "bench/gpu/peer_kernels.h"
#include "bench/gpu/random_weights.h"

namespace pbatch::bench {
namespace {

using SharedDevice = std::shared_ptr<cuda::Device>;

std::size_t size_of(std::int64_t n) { return static_cast<std::size_t>(n); }

template <class T>
Result<DeviceBuffer> copy_as(const SharedDevice& device, const std::vector<float>& values) {
  std::vector<T> copy(values.size());
  for (std::size_t i = 0; i < copy.size(); ++i) copy[i] = static_cast<T>(values[i]);
  return DeviceBuffer::copy_of(device, copy.data(),
                               static_cast<std::int64_t>(copy.size() * sizeof(T)));
}

// y [batch][rows] = x [batch][cols] W^T + bias, then Relu.
std::vector<float> multiply_on_host(const std::vector<float>& w, const std::vector<float>& x,
                                    const std::vector<float>& bias, int rows, int cols, int batch,
                                    bool relu) {
  std::vector<float> y(size_of(std::int64_t{batch} * rows));
  for (int v = 0; v < batch; ++v) {
    for (int r = 0; r < rows; ++r) {
      const float* const row = w.data() + std::int64_t{r} * cols;
      const float* const vector = x.data() + std::int64_t{v} * cols;
      float sums[8] = {};
      for (int c = 0; c + 8 <= cols; c += 8) {
        for (int k = 0; k < 8; ++k) sums[k] += row[c + k] * vector[c + k];
      }
      float sum = bias[size_of(r)];
      for (const float s : sums) sum += s;
      y[size_of(std::int64_t{v} * rows + r)] = relu ? std::max(sum, 0.0F) : sum;
    }
  }
  return y;
}

// A matrix in the type of its product, and what the product needs. Rows and cols: multiples of 8.
class PeerLayer {
 public:
  Status create(const SharedDevice& device, Blas& blas, const PeerKind& kind, int rows, int cols,
                int batch, bool relu) {
    kind_ = kind;
    blas_ = &blas;
    rows_ = rows;
    cols_ = cols;
    batch_ = batch;
    relu_ = relu;
    std::mt19937_64 rng(static_cast<std::uint64_t>(rows + cols));
    w_scale_ = std::exp2(-std::round(std::log2(std::sqrt(static_cast<float>(cols)))));
    weights.resize(size_of(std::int64_t{rows} * cols));
    for (float& w : weights) w = static_cast<float>(static_cast<int>(rng() >> 40) % 3 - 1);
    bias = random_vectors(rows, 3);
    PBATCH_RETURN_IF_ERROR(copy_weights(device));
    for (float& w : weights) w *= w_scale_;
    PBATCH_ASSIGN_OR_RETURN(bias_, copy_as<float>(device, bias));
    PBATCH_ASSIGN_OR_RETURN(product_batch_, blas.batch_for(type(), rows, cols, batch));
    PBATCH_ASSIGN_OR_RETURN(sums_,
                            DeviceBuffer::zeros(device, std::int64_t{4} * product_batch_ * rows));
    PBATCH_ASSIGN_OR_RETURN(int8_x_,
                            DeviceBuffer::zeros(device, std::int64_t{product_batch_} * cols));
    PBATCH_ASSIGN_OR_RETURN(x_scale_, DeviceBuffer::zeros(device, std::int64_t{4} * batch));
    return Status::ok();
  }

  bool takes_halves() const { return type() == PeerType::float16; }

  /// Sums of x, float32 or, if it takes halves, float16: to sums().
  Status multiply(const void* x, cudaStream_t stream) {
    if (kind_.plain_gemv) {
      return check(launch_half_gemv(weights_.as<__half>(), static_cast<const __half*>(x),
                                    sums_.as<float>(), rows_, cols_, stream),
                   "half_gemv");
    }
    if (type() == PeerType::int8) {
      PBATCH_RETURN_IF_ERROR(
          check(launch_quantize_int8(static_cast<const float*>(x), int8_x_.as<signed char>(),
                                     x_scale_.as<float>(), cols_, batch_, stream),
                "quantizing"));
      x = int8_x_.as<void>();
    }
    return blas_->multiply(type(), weights_.as<void>(), x, sums_.as<void>(), rows_, cols_,
                           product_batch_, stream);
  }
  /// Results of these sums, as the next layer takes them.
  Status finish(void* y, bool halves, cudaStream_t stream) const {
    return check(launch_finish({sums_.as<void>(), sum_type(), x_scale_.as<float>(), w_scale_,
                                bias_.as<float>(), y, halves, relu_, rows_, batch_},
                               stream),
                 "finishing");
  }
  /// What LstmArgs has of the sums.
  LstmArgs lstm_args() const {
    LstmArgs args = {};
    args.sums = sums_.as<void>();
    args.type = sum_type();
    args.x_scale = x_scale_.as<float>();
    args.w_scale = w_scale_;
    return args;
  }
  std::vector<float> on_host(const std::vector<float>& x, int vectors) const {
    return multiply_on_host(weights, x, bias, rows_, cols_, vectors, relu_);
  }

  int rows() const { return rows_; }
  std::vector<float> weights, bias;  // of the host: [rows][cols], [rows]

 private:
  PeerType type() const { return kind_.plain_gemv ? PeerType::float16 : kind_.type; }
  // The plain kernel's sums are float32. Floats hold weights that are scaled.
  PeerType sum_type() const { return kind_.plain_gemv ? PeerType::float32 : kind_.type; }

  Status copy_weights(const SharedDevice& device) {
    if (type() == PeerType::int8) {
      PBATCH_ASSIGN_OR_RETURN(weights_, copy_as<signed char>(device, weights));
      return Status::ok();
    }
    std::vector<float> scaled = weights;
    for (float& w : scaled) w *= w_scale_;
    if (type() == PeerType::float16) {
      PBATCH_ASSIGN_OR_RETURN(weights_, copy_as<__half>(device, scaled));
    } else {
      PBATCH_ASSIGN_OR_RETURN(weights_, copy_as<float>(device, scaled));
    }
    return Status::ok();
  }

  PeerKind kind_;
  Blas* blas_ = nullptr;
  int rows_ = 0, cols_ = 0, batch_ = 0, product_batch_ = 0;
  bool relu_ = false;
  float w_scale_ = 1;
  DeviceBuffer weights_, bias_, sums_, int8_x_, x_scale_;
};

Result<std::vector<float>> floats_of(cuda::Device& device, const DeviceBuffer& buffer) {
  std::vector<float> values(size_of(buffer.bytes() / 4));
  PBATCH_RETURN_IF_ERROR(device.copy_to_host(values.data(), buffer.as<void>(), buffer.bytes()));
  return values;
}

class PeerMlp final : public PeerNetwork {
 public:
  Status create(const SharedDevice& device, Blas& blas, const PeerKind& kind,
                const std::vector<int>& sizes, int batch) {
    device_ = device;
    batch_ = batch;
    x_ = random_vectors(std::int64_t{batch} * sizes[0], 5);
    for (std::size_t i = 0; i + 1 < sizes.size(); ++i) {
      const bool last = i + 2 == sizes.size();
      auto layer = std::make_unique<PeerLayer>();
      PBATCH_RETURN_IF_ERROR(
          layer->create(device, blas, kind, sizes[i + 1], sizes[i], batch, !last));
      PBATCH_ASSIGN_OR_RETURN(DeviceBuffer y,
                              DeviceBuffer::zeros(device, std::int64_t{4} * batch * sizes[i + 1]));
      layers_.push_back(std::move(layer));
      values_.push_back(std::move(y));
    }
    if (layers_[0]->takes_halves()) {
      PBATCH_ASSIGN_OR_RETURN(x_there_, copy_as<__half>(device, x_));
    } else {
      PBATCH_ASSIGN_OR_RETURN(x_there_, copy_as<float>(device, x_));
    }
    return Status::ok();
  }

  Status queue(cudaStream_t stream) override {
    const void* x = x_there_.as<void>();
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      const bool last = i + 1 == layers_.size();
      PBATCH_RETURN_IF_ERROR(layers_[i]->multiply(x, stream));
      PBATCH_RETURN_IF_ERROR(
          layers_[i]->finish(values_[i].as<void>(), !last && layers_[i]->takes_halves(), stream));
      x = values_[i].as<void>();
    }
    return Status::ok();
  }
  Result<std::vector<float>> outputs() override { return floats_of(*device_, values_.back()); }
  std::vector<float> expected() const override {
    std::vector<float> x = x_;
    for (const auto& layer : layers_) x = layer->on_host(x, batch_);
    return x;
  }

 private:
  SharedDevice device_;
  int batch_ = 0;
  std::vector<float> x_;
  DeviceBuffer x_there_;
  std::vector<std::unique_ptr<PeerLayer>> layers_;
  std::vector<DeviceBuffer> values_;
};

class PeerLstm final : public PeerNetwork {
 public:
  Status create(const SharedDevice& device, Blas& blas, const PeerKind& kind, int units, int steps,
                int batch) {
    device_ = device;
    units_ = units;
    steps_ = steps;
    batch_ = batch;
    const int vectors = steps * batch;
    x_ = random_vectors(std::int64_t{vectors} * units, 5);
    // The plain kernel takes one vector; the input part of several is cuBLAS's.
    PeerKind of_input = kind;
    if (vectors > 1) of_input.plain_gemv = false;
    if (kind.plain_gemv) of_input.type = PeerType::float16;
    PBATCH_RETURN_IF_ERROR(input_.create(device, blas, of_input, 4 * units, units, vectors, false));
    PBATCH_RETURN_IF_ERROR(recurrent_.create(device, blas, kind, 4 * units, units, batch, false));
    std::fill(recurrent_.bias.begin(), recurrent_.bias.end(), 0.0F);
    if (input_.takes_halves()) {
      PBATCH_ASSIGN_OR_RETURN(x_there_, copy_as<__half>(device, x_));
    } else {
      PBATCH_ASSIGN_OR_RETURN(x_there_, copy_as<float>(device, x_));
    }
    const std::int64_t bytes = std::int64_t{4} * batch * units;
    PBATCH_ASSIGN_OR_RETURN(gates_, DeviceBuffer::zeros(device, steps * 4 * bytes));
    for (DeviceBuffer* state : {&h_, &c_, &half_h_}) {
      PBATCH_ASSIGN_OR_RETURN(*state, DeviceBuffer::zeros(device, bytes));
    }
    return Status::ok();
  }

  Status queue(cudaStream_t stream) override {
    for (DeviceBuffer* state : {&h_, &c_, &half_h_}) {
      PBATCH_RETURN_IF_ERROR(device_->clear(state->as<void>(), state->bytes(), stream_of(stream)));
    }
    PBATCH_RETURN_IF_ERROR(input_.multiply(x_there_.as<void>(), stream));
    PBATCH_RETURN_IF_ERROR(input_.finish(gates_.as<void>(), false, stream));
    const bool halves = recurrent_.takes_halves();
    for (int step = 0; step < steps_; ++step) {
      PBATCH_RETURN_IF_ERROR(
          recurrent_.multiply(halves ? half_h_.as<void>() : h_.as<void>(), stream));
      LstmArgs args = recurrent_.lstm_args();
      args.input = gates_.as<float>() + std::int64_t{step} * batch_ * 4 * units_;
      args.h = h_.as<float>();
      args.c = c_.as<float>();
      args.half_h = halves ? half_h_.as<void>() : nullptr;
      args.units = units_;
      args.batch = batch_;
      PBATCH_RETURN_IF_ERROR(check(launch_lstm_cells(args, stream), "cells"));
    }
    return Status::ok();
  }
  Result<std::vector<float>> outputs() override { return floats_of(*device_, h_); }
  std::vector<float> expected() const override {
    const std::vector<float> gates = input_.on_host(x_, steps_ * batch_);
    const auto sigmoid = [](float v) { return 1 / (1 + std::exp(-v)); };
    std::vector<float> h(size_of(std::int64_t{batch_} * units_)), c = h;
    for (int step = 0; step < steps_; ++step) {
      const std::vector<float> r = recurrent_.on_host(h, batch_);
      for (int v = 0; v < batch_; ++v) {
        for (int u = 0; u < units_; ++u) {
          const auto gate = [&](int g) {
            const std::int64_t at = (std::int64_t{v} * 4 + g) * units_ + u;
            return gates[size_of(std::int64_t{step} * batch_ * 4 * units_ + at)] + r[size_of(at)];
          };
          float& cell = c[size_of(std::int64_t{v} * units_ + u)];
          cell = sigmoid(gate(2)) * cell + sigmoid(gate(0)) * std::tanh(gate(3));
          h[size_of(std::int64_t{v} * units_ + u)] = sigmoid(gate(1)) * std::tanh(cell);
        }
      }
    }
    return h;
  }

 private:
  SharedDevice device_;
  int units_ = 0, steps_ = 0, batch_ = 0;
  std::vector<float> x_;
  PeerLayer input_, recurrent_;
  DeviceBuffer x_there_, gates_, h_, c_, half_h_;
};

}  // namespace

Result<std::unique_ptr<PeerNetwork>> make_peer_mlp(const SharedDevice& device, Blas& blas,
                                                   const PeerKind& kind,
                                                   const std::vector<int>& sizes, int batch) {
  auto network = std::make_unique<PeerMlp>();
  PBATCH_RETURN_IF_ERROR(network->create(device, blas, kind, sizes, batch));
  return std::unique_ptr<PeerNetwork>(std::move(network));
}

Result<std::unique_ptr<PeerNetwork>> make_peer_lstm(const SharedDevice& device, Blas& blas,
                                                    const PeerKind& kind, int units, int steps,
                                                    int batch) {
  auto network = std::make_unique<PeerLstm>();
  PBATCH_RETURN_IF_ERROR(network->create(device, blas, kind, units, steps, batch));
  return std::unique_ptr<PeerNetwork>(std::move(network));
}

}  // namespace pbatch::bench
