// every_precision NETWORK.onnx: quantizes a float network in memory and shows how far each
// precision is from the float answer on one random input.
#include <cmath>
#include <cstdio>
#include <random>
#include <vector>

#include "pbatch/quantize.h"
#include "pbatch/session.h"

namespace {

// A random tensor for each input; free dimensions become 1.
pbatch::Result<std::vector<pbatch::NamedTensor>> random_inputs(const pbatch::Session& session) {
  std::mt19937 random(1);
  std::uniform_real_distribution<float> pixel(0.0f, 1.0f);
  std::vector<pbatch::NamedTensor> inputs;
  for (const pbatch::PortInfo& port : session.inputs()) {
    pbatch::Shape shape = port.shape;
    std::size_t count = 1;
    for (auto& d : shape) {
      if (d < 0) d = 1;
      count *= static_cast<std::size_t>(d);
    }
    std::vector<float> values(count);
    for (float& v : values) v = pixel(random);
    PBATCH_ASSIGN_OR_RETURN(pbatch::Tensor tensor, pbatch::Tensor::from_floats(shape, values));
    inputs.push_back({port.name, tensor});
  }
  return inputs;
}

pbatch::Status run(const char* path) {
  PBATCH_ASSIGN_OR_RETURN(const pbatch::Session network, pbatch::Session::load(path));
  PBATCH_ASSIGN_OR_RETURN(const pbatch::Session session,
                          pbatch::Session::quantize_in_memory(path, pbatch::QuantizeOptions{}));
  PBATCH_ASSIGN_OR_RETURN(const auto inputs, random_inputs(network));
  PBATCH_ASSIGN_OR_RETURN(const auto expected, network.run(inputs, pbatch::Precision::f32()));

  for (int bits = 1; bits <= session.max_weight_bits(); ++bits) {
    // Precision is an argument of the run: nothing is reloaded.
    PBATCH_ASSIGN_OR_RETURN(const auto results, session.run(inputs, pbatch::Precision::bits(bits)));
    double error = 0, size = 0;
    for (std::int64_t i = 0; i < expected[0].size(); ++i) {
      const double e = expected[0].data<float>()[i];
      const double d = results[0].data<float>()[i] - e;
      error += d * d;
      size += e * e;
    }
    std::printf("%d bits: relative error %.4f\n", bits, std::sqrt(error / size));
  }
  return pbatch::Status::ok();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: every_precision NETWORK.onnx\n");
    return 2;
  }
  const pbatch::Status status = run(argv[1]);
  if (!status) std::fprintf(stderr, "%s\n", status.to_line().c_str());
  return status.is_ok() ? 0 : 1;
}
