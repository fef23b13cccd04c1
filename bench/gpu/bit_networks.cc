#include "bench/gpu/bit_networks.h"

#include <cmath>
#include <utility>

#include "accelerator/device_buffer.h"
#include "kernel/cells.h"

namespace pbatch::bench {
namespace {

using cuda::Matrix;
using cuda::Product;

cuda::Method method_for(const Matrix& matrix, const NetworkPrecision& precision, int vectors) {
  return cuda::choose_method({matrix.rows(), matrix.cols(), matrix.run_blocks(),
                              precision.weight_bits, precision.activation_bits, vectors},
                             matrix.device()->limits());
}

// A matrix, its product for some vectors, and where the results go.
struct Layer {
  std::unique_ptr<Matrix> matrix;  // the product points to it
  std::unique_ptr<Product> product;
  DeviceBuffer bias, y;

  static Result<Layer> create(const std::shared_ptr<cuda::Device>& device, std::int64_t rows,
                              std::int64_t cols, const NetworkPrecision& precision, int vectors,
                              std::uint32_t* flag) {
    Layer layer;
    const RandomWeights weights =
        random_weights(rows, cols, precision.weight_bits, static_cast<std::uint64_t>(rows + cols));
    PBATCH_ASSIGN_OR_RETURN(Matrix matrix, upload(device, weights));
    layer.matrix = std::make_unique<Matrix>(std::move(matrix));
    PBATCH_ASSIGN_OR_RETURN(
        Product product,
        Product::create(*layer.matrix, {precision.weight_bits, precision.activation_bits, vectors},
                        method_for(*layer.matrix, precision, vectors), flag));
    layer.product = std::make_unique<Product>(std::move(product));
    const std::vector<float> bias = random_vectors(rows, 3);
    PBATCH_ASSIGN_OR_RETURN(layer.bias, DeviceBuffer::copy_of(device, bias.data(), rows * 4));
    PBATCH_ASSIGN_OR_RETURN(layer.y, DeviceBuffer::zeros(device, vectors * rows * 4));
    return layer;
  }

  ProductOutput output(Activation activation) const {
    return {y.as<float>(), matrix->rows(), bias.as<float>(), activation};
  }
};

Result<std::vector<float>> floats_of(cuda::Device& device, const DeviceBuffer& buffer) {
  std::vector<float> values(static_cast<std::size_t>(buffer.bytes() / 4));
  PBATCH_RETURN_IF_ERROR(device.copy_to_host(values.data(), buffer.as<void>(), buffer.bytes()));
  return values;
}

class BitMlp final : public BitNetwork {
 public:
  Status create(const std::shared_ptr<cuda::Device>& device, const std::vector<std::int64_t>& sizes,
                const NetworkPrecision& precision, int batch) {
    device_ = device;
    PBATCH_ASSIGN_OR_RETURN(flag_, DeviceBuffer::zeros(device, 4));
    const std::vector<float> x = random_vectors(batch * sizes[0], 5);
    PBATCH_ASSIGN_OR_RETURN(x_, DeviceBuffer::copy_of(device, x.data(), batch * sizes[0] * 4));
    for (std::size_t i = 0; i + 1 < sizes.size(); ++i) {
      PBATCH_ASSIGN_OR_RETURN(Layer layer, Layer::create(device, sizes[i + 1], sizes[i], precision,
                                                         batch, flag_.as<std::uint32_t>()));
      layers_.push_back(std::move(layer));
    }
    return Status::ok();
  }

  Status queue(Stream stream) const override {
    const float* x = x_.as<float>();
    for (const Layer& layer : layers_) {
      const bool last = &layer == &layers_.back();
      PBATCH_RETURN_IF_ERROR(layer.product->quantize(x, layer.matrix->cols(), stream));
      PBATCH_RETURN_IF_ERROR(layer.product->multiply(
          layer.output(last ? Activation::none : Activation::relu), stream));
      x = layer.y.as<float>();
    }
    return Status::ok();
  }

  Result<std::vector<float>> outputs() const override {
    return floats_of(*device_, layers_.back().y);
  }

 private:
  std::shared_ptr<cuda::Device> device_;
  DeviceBuffer flag_, x_;
  std::vector<Layer> layers_;
};

class BitLstm final : public BitNetwork {
 public:
  Status create(const std::shared_ptr<cuda::Device>& device, std::int64_t units, int steps,
                const NetworkPrecision& precision, int batch) {
    device_ = device;
    units_ = units;
    steps_ = steps;
    batch_ = batch;
    PBATCH_ASSIGN_OR_RETURN(flag_, DeviceBuffer::zeros(device, 4));
    const std::vector<float> x = random_vectors(steps * batch * units, 5);
    PBATCH_ASSIGN_OR_RETURN(x_, DeviceBuffer::copy_of(device, x.data(), steps * batch * units * 4));
    PBATCH_ASSIGN_OR_RETURN(input_, Layer::create(device, 4 * units, units, precision,
                                                  steps * batch, flag_.as<std::uint32_t>()));
    PBATCH_ASSIGN_OR_RETURN(recurrent_, Layer::create(device, 4 * units, units, precision, batch,
                                                      flag_.as<std::uint32_t>()));
    for (DeviceBuffer& state : states_) {
      PBATCH_ASSIGN_OR_RETURN(state, DeviceBuffer::zeros(device, batch * units * 4));
    }
    return Status::ok();
  }

  Status queue(Stream stream) const override {
    PBATCH_RETURN_IF_ERROR(input_.product->quantize(x_.as<float>(), units_, stream));
    PBATCH_RETURN_IF_ERROR(input_.product->multiply(input_.output(Activation::none), stream));
    PBATCH_RETURN_IF_ERROR(step(kStepStart, 0, stream));
    for (int i = 0; i < steps_; ++i) {
      ProductOutput out = recurrent_.output(Activation::none);
      out.bias = nullptr;
      PBATCH_RETURN_IF_ERROR(recurrent_.product->multiply(out, stream));
      PBATCH_RETURN_IF_ERROR(step(kCellLstm, i, stream));
    }
    return Status::ok();
  }

  Result<std::vector<float>> outputs() const override { return floats_of(*device_, states_[0]); }

 private:
  Status step(int kind, int number, Stream stream) const {
    cuda::StepArgs args = {};
    args.kind = kind;
    args.hidden = units_;
    args.padded = units_;
    args.batch = batch_;
    args.steps = steps_;
    args.step = number;
    args.x = input_.y.as<float>();
    args.x_step = batch_ * 4 * units_;
    args.x_vector = 4 * units_;
    args.r = recurrent_.y.as<float>();
    args.r_vector = 4 * units_;
    args.clip = INFINITY;
    args.h = states_[0].as<float>();
    args.c = states_[1].as<float>();
    args.update = states_[2].as<float>();
    args.reset_h = states_[3].as<float>();
    args.quantizes = kind == kStepStart || number + 1 < steps_;
    args.quantize = recurrent_.product->quantize_args(args.h, units_);
    args.method = recurrent_.product->plan().method;
    return device_->queue_step(args, stream);
  }

  std::shared_ptr<cuda::Device> device_;
  std::int64_t units_ = 0;
  int steps_ = 0, batch_ = 0;
  DeviceBuffer flag_, x_;
  Layer input_, recurrent_;
  DeviceBuffer states_[4];
};

}  // namespace

Result<std::unique_ptr<BitNetwork>> make_bit_mlp(const std::shared_ptr<cuda::Device>& device,
                                                 const std::vector<std::int64_t>& sizes,
                                                 const NetworkPrecision& precision, int batch) {
  auto network = std::make_unique<BitMlp>();
  PBATCH_RETURN_IF_ERROR(network->create(device, sizes, precision, batch));
  return std::unique_ptr<BitNetwork>(std::move(network));
}

Result<std::unique_ptr<BitNetwork>> make_bit_lstm(const std::shared_ptr<cuda::Device>& device,
                                                  std::int64_t units, int steps,
                                                  const NetworkPrecision& precision, int batch) {
  auto network = std::make_unique<BitLstm>();
  PBATCH_RETURN_IF_ERROR(network->create(device, units, steps, precision, batch));
  return std::unique_ptr<BitNetwork>(std::move(network));
}

}  // namespace pbatch::bench
