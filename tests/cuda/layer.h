// A random bit-layer and its product by the CPU's reference, to compare the device's with.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

#include "kernel/epilogue.h"
#include "tests/kernel/problem.h"

namespace pbatch::testing {

struct DeviceLayer {
  std::int64_t rows = 1, cols = 1, batch = 1;
  int weight_bits = 1, activation_bits = 8, run_blocks = 1;
  bool has_bias = false;
  Activation activation = Activation::none;
  std::vector<std::uint16_t> codes;  // [rows][cols]
  std::vector<std::uint8_t> scales;  // [row_blocks][runs][16]
  std::vector<float> row_scale, bias;
  std::vector<float> x;  // [batch][cols]

  std::int64_t col_blocks() const { return pbatch::col_blocks(cols); }
  std::int64_t row_blocks() const { return pbatch::row_blocks(rows); }
  std::int64_t runs() const { return (col_blocks() + run_blocks - 1) / run_blocks; }
  int digits() const { return weight_bits > 8 ? 2 : 1; }
};

/// Fills what depends on the shape and settings, at random; every seventh vector with zeros.
inline void fill(DeviceLayer& layer, std::mt19937_64& rng) {
  std::normal_distribution<float> normal;
  const auto size = [](std::int64_t n) { return static_cast<std::size_t>(n); };
  layer.codes.resize(size(layer.rows * layer.cols));
  for (auto& code : layer.codes) {
    code = static_cast<std::uint16_t>(rng() & ((1u << layer.weight_bits) - 1));
  }
  layer.scales.resize(size(layer.row_blocks() * layer.runs() * kBlockRows));
  for (auto& scale : layer.scales) scale = static_cast<std::uint8_t>(rng());
  layer.row_scale.resize(size(layer.rows));
  for (float& value : layer.row_scale) value = std::fabs(normal(rng)) * 0.01f;
  layer.bias.clear();
  if (layer.has_bias) layer.bias.resize(size(layer.rows));
  for (float& value : layer.bias) value = normal(rng);
  layer.x.resize(size(layer.batch * layer.cols));
  for (std::int64_t v = 0; v < layer.batch; ++v) {
    const float wide = rng() % 7 == 0 ? 0.0f : std::exp(3 * normal(rng));
    for (std::int64_t c = 0; c < layer.cols; ++c) {
      layer.x[size(v * layer.cols + c)] = wide * normal(rng);
    }
  }
}

/// The canonical planes, [weight_bits], each plane_bytes(rows, cols).
inline std::vector<std::vector<std::uint8_t>> planes_of(const DeviceLayer& layer) {
  std::vector<std::vector<std::uint8_t>> planes(
      static_cast<std::size_t>(layer.weight_bits),
      std::vector<std::uint8_t>(static_cast<std::size_t>(plane_bytes(layer.rows, layer.cols))));
  std::vector<std::uint8_t*> to;
  for (auto& plane : planes) to.push_back(plane.data());
  pack_planes(layer.codes.data(), layer.rows, layer.cols, layer.weight_bits, to.data());
  return planes;
}

/// A vector quantized by the CPU: q [32 * col_blocks], run_sums [halves][runs] and its scale.
struct Quantized {
  std::vector<std::int32_t> q, run_sums;
  float scale = 0;
  bool is_finite = true;
};
inline Quantized quantized(const DeviceLayer& layer, std::int64_t vector) {
  Quantized out;
  std::vector<Line> numbers(static_cast<std::size_t>(2 * layer.col_blocks()));
  out.run_sums.resize(
      static_cast<std::size_t>(layer.runs() * activation_halves(layer.activation_bits)));
  out.is_finite = quantizer_for(Isa::generic)
                      .run(layer.x.data() + vector * layer.cols, layer.cols, layer.col_blocks(),
                           layer.run_blocks, layer.activation_bits, kActivationNumbers,
                           numbers.front().bytes, out.run_sums.data(), &out.scale) != 0;
  out.q.resize(static_cast<std::size_t>(layer.col_blocks() * kBlockCols));
  std::memcpy(out.q.data(), numbers.data(), out.q.size() * sizeof out.q[0]);
  return out;
}

/// y, [batch][rows], by `kernel` (the oracle is "reference").
inline std::vector<float> product_of(const DeviceLayer& layer, const char* kernel = "reference") {
  std::vector<float> y;
  for (std::int64_t v = 0; v < layer.batch; ++v) {
    const Quantized vector = quantized(layer, v);
    std::vector<float> acc[2];
    for (int digit = 0; digit < layer.digits(); ++digit) {
      const int n = layer.weight_bits;
      Problem p;
      const int planes = n <= 8 ? n : digit == 0 ? 8 : n - 8;
      p.shape = {layer.rows, layer.cols, 1, planes, layer.activation_bits, layer.run_blocks};
      for (const std::uint16_t code : layer.codes) {
        const int value = n <= 8 ? code : digit == 0 ? code >> (n - 8) : code % (1 << (n - 8));
        p.codes.push_back(static_cast<std::uint16_t>(value));
      }
      p.scales = layer.scales;
      p.q = vector.q;
      const std::vector<std::uint32_t> bits = run_kernel(*find_kernel(kernel), p);
      acc[digit].resize(bits.size());
      std::memcpy(acc[digit].data(), bits.data(), bits.size() * sizeof(float));
    }
    EpilogueArgs args = {};
    args.acc[0] = acc[0].data();
    args.acc[1] = layer.digits() == 2 ? acc[1].data() : nullptr;
    args.acc_stride = layer.row_blocks() * kBlockRows;
    args.weight_bits = layer.weight_bits;
    args.activation_bits = layer.activation_bits;
    args.activation_scale = vector.scale;
    args.row_scale = layer.row_scale.data();
    args.bias = layer.has_bias ? layer.bias.data() : nullptr;
    args.activation = layer.activation;
    std::vector<float> one(static_cast<std::size_t>(layer.rows));
    epilogue_for(Isa::generic).run(&args, 0, layer.rows, one.data());
    y.insert(y.end(), one.begin(), one.end());
  }
  return y;
}

}  // namespace pbatch::testing
