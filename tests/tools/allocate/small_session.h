// Small networks as bit-layers, and their float sides.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "pbatch/quantize.h"
#include "pbatch/session.h"
#include "tests/support/networks.h"
#include "tests/support/scratch.h"

namespace pbatch::testing {

class SmallSession : public Scratch {
 protected:
  /// The float network lies in net.onnx.
  Session quantized(const Graph& graph, const QuantizeOptions& options) {
    write_onnx(graph, path("net.onnx"));
    Result<Session> made = Session::quantize_in_memory(path("net.onnx"), options, {.threads = 1});
    EXPECT_TRUE(made) << made.status().to_line();
    return std::move(made).value();
  }
  Session quantized(const std::vector<std::int64_t>& sizes, const QuantizeOptions& options) {
    return quantized(mlp(sizes), options);
  }
  Session float_side() {
    Result<Session> made = Session::load(path("net.onnx"), {.threads = 1});
    EXPECT_TRUE(made) << made.status().to_line();
    return std::move(made).value();
  }

  static std::vector<NamedTensor> inputs(std::int64_t batch, std::int64_t size, unsigned seed) {
    return {{"x", tensor_of({batch, size},
                            random_floats(static_cast<std::size_t>(batch * size), seed))}};
  }
};

}  // namespace pbatch::testing
