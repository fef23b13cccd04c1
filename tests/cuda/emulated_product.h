// The device's part of a product, on the host: the functions that the kernels are made of, run by
// emulated warps. What the kernels themselves add is which warp calls them, and the barriers.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

#include "cuda/b1_slab.h"
#include "cuda/gemm_warp.h"
#include "cuda/host_warp.h"
#include "cuda/i8_slab.h"
#include "cuda/product_block.h"
#include "cuda/product_plan.h"
#include "cuda/quantize_vector.h"
#include "cuda/repack.h"
#include "tests/cuda/layer.h"

namespace pbatch::testing {

/// Memory of the device: aligned to 16 bytes, and exactly as long as it must be.
template <class T>
class DeviceArray {
 public:
  explicit DeviceArray(std::int64_t count, T value = T{})
      : values_(static_cast<std::size_t>(count), value) {}
  T* data() { return values_.data(); }
  const T* data() const { return values_.data(); }
  T& operator[](std::int64_t i) { return values_.at(static_cast<std::size_t>(i)); }
  std::int64_t size() const { return static_cast<std::int64_t>(values_.size()); }

 private:
  std::vector<T> values_;
};

struct EmulatedWeights {
  explicit EmulatedWeights(const DeviceLayer& layer)
      : slabs(cuda::slabs_of(layer.col_blocks())),
        plane_stride(cuda::plane_words(layer.row_blocks(), slabs)),
        planes(layer.weight_bits * plane_stride),
        scales(cuda::scale_bytes(layer.row_blocks(), slabs, layer.run_blocks)) {
    const auto canonical = planes_of(layer);
    for (int i = 0; i < layer.weight_bits; ++i) {
      cuda::repack_plane(canonical[static_cast<std::size_t>(i)].data(), layer.row_blocks(),
                         layer.col_blocks(), planes.data() + i * plane_stride);
    }
    cuda::repack_scales(layer.scales.data(), layer.row_blocks(), layer.col_blocks(),
                        layer.run_blocks, scales.data());
  }
  std::int64_t slabs, plane_stride;
  DeviceArray<std::uint32_t> planes;
  DeviceArray<std::uint8_t> scales;
};

struct EmulatedVectors {
  EmulatedVectors(const DeviceLayer& layer, std::int64_t slabs)
      : words(layer.batch * cuda::activation_words(slabs, layer.activation_bits), 0xabababab),
        run_sums(layer.batch * activation_halves(layer.activation_bits) * slabs *
                     cuda::slab_runs(layer.run_blocks),
                 0x12345678),
        scales(layer.batch) {}
  DeviceArray<std::uint32_t> words;
  DeviceArray<std::int32_t> run_sums;
  DeviceArray<float> scales;
  bool is_finite = true;
};

template <int kBits>
inline void run_quantizer(const cuda::QuantizeArgs& args, cuda::Method method) {
  using W = cuda::HostWarp;
  const std::int64_t words = cuda::activation_words(args.slabs, kBits);
  const std::int64_t sums = cuda::halves_of(kBits) * args.slabs * cuda::slab_runs(args.run_blocks);
  const auto quantize_slab = method == cuda::Method::bits ? cuda::quantize_slab_to_bits<W, kBits>
                                                          : cuda::quantize_slab_to_bytes<W, kBits>;
  for (std::int64_t v = 0; v < args.batch; ++v) {
    const float* x = args.x + v * args.ldx;
    std::uint32_t largest = 0;
    for (int warp = 0; warp < 3; ++warp) {
      largest =
          std::max(largest, cuda::largest_magnitude<W>(x, args.cols, warp * 32, 3 * 32).v[warp]);
    }
    const cuda::VectorScale scale = cuda::vector_scale<W>(largest, kBits);
    if (!scale.is_finite) *args.flag = kFlagNotFinite;
    args.activation_scales[v] = scale.scale;
    for (std::int64_t slab = 0; slab < args.slabs; ++slab) {
      quantize_slab(x, args.cols, args.slabs, slab, args.run_blocks, scale.inverse,
                    args.activations + v * words, args.run_sums + v * sums);
    }
  }
}

inline void run_quantizer(const cuda::QuantizeArgs& args, cuda::Method method) {
  switch (args.activation_bits) {
    case 8:
      return run_quantizer<8>(args, method);
    case 16:
      return run_quantizer<16>(args, method);
    default:
      return run_quantizer<32>(args, method);
  }
}

inline EmulatedVectors quantize_emulated(const DeviceLayer& layer, std::int64_t slabs,
                                         cuda::Method method) {
  EmulatedVectors out(layer, slabs);
  std::uint32_t flag = 0;
  cuda::QuantizeArgs args = {};
  args.x = layer.x.data();
  args.ldx = layer.cols;
  args.cols = layer.cols;
  args.slabs = slabs;
  args.run_blocks = layer.run_blocks;
  args.activation_bits = layer.activation_bits;
  args.batch = static_cast<int>(layer.batch);
  args.activations = out.words.data();
  args.run_sums = out.run_sums.data();
  args.activation_scales = out.scales.data();
  args.flag = &flag;
  run_quantizer(args, method);
  out.is_finite = flag == 0;
  return out;
}

/// How a product is cut among blocks and warps.
struct Cut {
  int warps = 1, splits = 1;
};

template <class Multiply>
inline void run_emulated(const cuda::ProductArgs& args, const Cut& cut, std::mt19937_64& rng) {
  using W = cuda::HostWarp;
  constexpr int kPlanes = Multiply::kPlanes;
  // In no order: a warp depends on no other.
  std::vector<int> parts(static_cast<std::size_t>(cut.splits * cut.warps));
  for (std::size_t i = 0; i < parts.size(); ++i) parts[i] = static_cast<int>(i);
  DeviceArray<float> shared(args.terms != nullptr ? 0 : cuda::term_floats(args));
  for (std::int64_t rb = 0; rb < args.row_blocks; ++rb) {
    float* const terms =
        args.terms != nullptr ? args.terms + rb * cuda::term_floats(args) : shared.data();
    std::fill_n(terms, cuda::term_floats(args), std::numeric_limits<float>::quiet_NaN());
    std::shuffle(parts.begin(), parts.end(), rng);
    for (const int part : parts) {
      W::Ring<cuda::ring_stages(kPlanes) * kPlanes> ring;
      cuda::multiply_slabs<W, Multiply>(
          args, rb,
          cuda::slab_range(args.slabs, part / cut.warps, cut.splits, part % cut.warps, cut.warps),
          ring, terms);
    }
    for (int first = 0; first < args.batch * 16; first += 32) {
      cuda::finish_rows<W>(args, rb, terms, first);
    }
  }
}

template <class Warp>
inline void run_emulated_gemm(const cuda::ProductArgs& args) {
  const int columns = args.batch * (args.activation_bits / 8);
  for (std::int64_t rb = 0; rb < args.row_blocks; ++rb) {
    for (int first = 0; first < columns; first += cuda::kGemmColumns) {
      cuda::HostWarp::Ring<cuda::ring_stages(Warp::kPlanes) * Warp::kPlanes> ring;
      Warp::run(args, rb, first, ring);
    }
  }
}

template <int kPlanes, int kDigits, int kRunBlocks>
struct Bits {
  static constexpr cuda::Method kMethod = cuda::Method::bits;
  using Type = cuda::B1Multiply<cuda::HostWarp, kPlanes, kDigits, kRunBlocks, false>;
};
template <int kPlanes, int kDigits, int kRunBlocks>
struct BitsByXor {
  static constexpr cuda::Method kMethod = cuda::Method::bits;
  using Type = cuda::B1Multiply<cuda::HostWarp, kPlanes, kDigits, kRunBlocks, true>;
};
template <int kPlanes, int kDigits, int kRunBlocks>
struct Bytes {
  static constexpr cuda::Method kMethod = cuda::Method::bytes;
  using Type = cuda::I8Multiply<cuda::HostWarp, kPlanes, kDigits, kRunBlocks>;
};

template <int kPlanes, int kDigits, int kRunBlocks>
struct Gemm {
  static constexpr cuda::Method kMethod = cuda::Method::gemm;
  using Type = cuda::GemmWarp<cuda::HostWarp, kPlanes, kDigits, kRunBlocks>;
};

/// Calls fn with the kernel, one of Bits and the like, for planes, activation bits and runs.
template <template <int, int, int> class Kernel, int kPlanes = 1, class Fn>
inline void with_kernel(int planes, int activation_bits, int run_blocks, const Fn& fn) {
  if constexpr (kPlanes < 8) {
    if (planes > kPlanes) {
      return with_kernel<Kernel, kPlanes + 1>(planes, activation_bits, run_blocks, fn);
    }
  }
  const auto tiles = [&]<int kTiles>() {
    switch (run_blocks) {
      case 1:
        return fn(typename Kernel<kPlanes, kTiles, 1>::Type());
      case 2:
        return fn(typename Kernel<kPlanes, kTiles, 2>::Type());
      default:
        return fn(typename Kernel<kPlanes, kTiles, 4>::Type());
    }
  };
  activation_bits == 8 ? tiles.template operator()<1>() : tiles.template operator()<2>();
}

/// The product that `args` describe.
template <template <int, int, int> class Kernel>
inline void run_product(const cuda::ProductArgs& args, const Cut& cut, std::mt19937_64& rng) {
  with_kernel<Kernel>(std::min(args.weight_bits, 8), args.activation_bits, args.run_blocks,
                      [&](auto multiply) {
                        if constexpr (Kernel<1, 1, 1>::kMethod == cuda::Method::gemm) {
                          run_emulated_gemm<decltype(multiply)>(args);
                        } else {
                          run_emulated<decltype(multiply)>(args, cut, rng);
                        }
                      });
}

/// y, [batch][rows], all from floats to floats.
template <template <int, int, int> class Kernel>
inline std::vector<float> product_emulated(const DeviceLayer& layer, const Cut& cut,
                                           std::mt19937_64& rng) {
  const EmulatedWeights weights(layer);
  const EmulatedVectors vectors = quantize_emulated(layer, weights.slabs, Kernel<1, 1, 1>::kMethod);
  const float untouched = -12345.0f;
  const std::int64_t ldy = layer.rows + 3;
  DeviceArray<float> y(layer.batch * ldy, untouched);
  cuda::ProductArgs args = {};
  args.planes = weights.planes.data();
  args.plane_stride = weights.plane_stride;
  args.weight_bits = layer.weight_bits;
  args.rows = layer.rows;
  args.row_blocks = layer.row_blocks();
  args.slabs = weights.slabs;
  args.runs = layer.runs();
  args.run_blocks = layer.run_blocks;
  args.scales = weights.scales.data();
  args.row_scale = layer.row_scale.data();
  args.bias = layer.has_bias ? layer.bias.data() : nullptr;
  args.activation = layer.activation;
  args.activation_bits = layer.activation_bits;
  args.batch = static_cast<int>(layer.batch);
  args.activations = vectors.words.data();
  args.run_sums = vectors.run_sums.data();
  args.activation_scales = vectors.scales.data();
  args.y = y.data();
  args.ldy = ldy;
  args.splits = cut.splits;
  run_product<Kernel>(args, cut, rng);
  std::vector<float> out;
  for (std::int64_t v = 0; v < layer.batch; ++v) {
    out.insert(out.end(), y.data() + v * ldy, y.data() + v * ldy + layer.rows);
    for (std::int64_t r = layer.rows; r < ldy; ++r) {
      // Written where there is no row: no comparison shall pass.
      if (y[v * ldy + r] != untouched) out.clear();
    }
  }
  return out;
}

}  // namespace pbatch::testing
