// The same network on the host and on the emulated device.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "device/device_network.h"
#include "pbatch/quantize.h"
#include "quantize/quantize_graph.h"
#include "run/program.h"
#include "run/simplify.h"
#include "tests/cuda/emulated_device.h"
#include "tests/support/networks.h"
#include "tests/support/one_op.h"

namespace pbatch::testing {

/// The value's own bytes and shape; false and a failure where they differ.
inline bool same_bits(const Tensor& a, const Tensor& b) {
  return a.dtype() == b.dtype() && a.shape() == b.shape() &&
         (a.bytes() == 0 || std::memcmp(a.raw(), b.raw(), a.bytes()) == 0);
}

class OnBoth {
 public:
  /// Quantizes, unless options.planes is 0.
  explicit OnBoth(Graph graph, const QuantizeOptions& options = {.planes = 12, .min_elements = 1},
                  int capability = 80)
      : device_(std::make_shared<EmulatedDevice>(capability)) {
    EXPECT_TRUE(simplify(graph));
    if (options.planes > 0) {
      const auto reports = quantize_graph(graph, options);
      EXPECT_TRUE(reports) << reports.status().to_line();
    }
    Result<Program> program = Program::build(std::move(graph));
    EXPECT_TRUE(program) << program.status().to_line();
    program_.emplace(std::move(program).value());
    Result<std::unique_ptr<DeviceNetwork>> network = DeviceNetwork::create(*program_, device_);
    refusal_ = network.status();
    if (network) network_ = std::move(network).value();
  }
  ~OnBoth() {
    network_.reset();
    EXPECT_EQ(device_->held(), 0);
  }

  /// Why the device does not take the network; ok if it does.
  const Status& refusal() const { return refusal_; }
  EmulatedDevice& device() { return *device_; }
  DeviceNetwork& network() { return *network_; }

  Result<std::vector<Tensor>> on_host(const std::vector<Tensor>& inputs, const Precision& p) {
    RunContext context{pool_, buffers_, p, FloatBackend::openblas};
    return program_->run(context, inputs);
  }
  Result<std::vector<Tensor>> on_device(const std::vector<Tensor>& inputs, const Precision& p) {
    RunContext context{pool_, buffers_, p, FloatBackend::openblas};
    return network_->run(context, inputs);
  }

  Result<std::vector<PlanStep>> plan(const std::vector<Tensor>& inputs, const Precision& p) {
    RunContext context{pool_, buffers_, p, FloatBackend::openblas};
    return network_->plan(context, inputs);
  }

  void expect_same_bits(const std::vector<Tensor>& inputs, const Precision& p) {
    compare(inputs, p, std::nullopt);
  }
  void expect_near(const std::vector<Tensor>& inputs, const Precision& p, float tolerance) {
    compare(inputs, p, tolerance);
  }

 private:
  void compare(const std::vector<Tensor>& inputs, const Precision& p,
               std::optional<float> tolerance) {
    ASSERT_TRUE(refusal_) << refusal_.to_line();
    const auto want = on_host(inputs, p), got = on_device(inputs, p);
    ASSERT_TRUE(want) << want.status().to_line();
    ASSERT_TRUE(got) << got.status().to_line();
    ASSERT_EQ(got->size(), want->size());
    for (std::size_t i = 0; i < want->size(); ++i) {
      if (tolerance && (*want)[i].dtype() == DType::f32) {
        testing::expect_near((*got)[i], (*want)[i].shape(), values_of((*want)[i]), *tolerance);
      } else {
        EXPECT_TRUE(same_bits((*got)[i], (*want)[i]))
            << "output " << i << " at " << p.all.weight_bits << " bits";
      }
    }
  }

  std::shared_ptr<EmulatedDevice> device_;
  ThreadPool pool_{1};
  BufferPool buffers_;
  std::optional<Program> program_;
  std::unique_ptr<DeviceNetwork> network_;
  Status refusal_;
};

}  // namespace pbatch::testing
