// Bytes become a product; every kernel and every quantizer this CPU runs must agree on it.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "isa/isa.h"
#include "kernel/registry.h"
#include "tests/kernel/problem.h"

namespace {

using namespace pbatch;           // NOLINT(google-build-using-namespace)
using namespace pbatch::testing;  // NOLINT(google-build-using-namespace)

// Reads the input over and over, so that few bytes fill large matrices.
class Bytes {
 public:
  Bytes(const std::uint8_t* data, std::size_t size) : data_(data), size_(size) {}
  std::uint8_t next() { return size_ == 0 ? 0 : data_[at_++ % size_]; }
  std::uint32_t next_word() {
    std::uint32_t word = 0;
    for (int i = 0; i < 4; ++i) word = (word << 8) | next();
    return word;
  }

 private:
  const std::uint8_t* data_;
  std::size_t size_;
  std::size_t at_ = 0;
};

Shape read_shape(Bytes& in) {
  Shape shape;
  shape.rows = 1 + in.next() % 70;
  shape.cols = 1 + (in.next() | (in.next() << 8)) % 700;
  shape.batch = 1 + in.next() % 9;
  shape.n_planes = 1 + in.next() % 8;
  shape.activation_bits = 8 << (in.next() % 3);
  shape.run_blocks = 1 << (in.next() % 3);
  return shape;
}

void compare_kernels(const Shape& shape, Bytes& in) {
  Problem p = blank_problem(shape);
  for (auto& code : p.codes) {
    code = static_cast<std::uint16_t>(in.next() & ((1 << shape.n_planes) - 1));
  }
  for (auto& scale : p.scales) scale = scale == 0 ? 0 : in.next();
  const std::int64_t limit = q_max(shape.activation_bits);
  for (std::int64_t v = 0; v < shape.batch; ++v) {
    for (std::int64_t c = 0; c < shape.cols; ++c) {
      p.q[static_cast<std::size_t>(v * shape.padded_cols() + c)] =
          static_cast<std::int32_t>(in.next_word() % (2 * limit + 1) - limit);
    }
  }
  const auto expected = run_kernel(all_kernels()[0], p);
  for (const BitKernel& kernel : all_kernels().subspan(1)) {
    if (isa_runs_here(kernel.isa) && run_kernel(kernel, p) != expected) std::abort();
  }
}

struct Quantized {
  int ok;
  float scale = 0;
  std::vector<std::int32_t> run_sums;
  std::vector<std::uint8_t> packed;
};

Quantized quantize_with(const ActivationQuantizer& quantizer, const Shape& shape,
                        const std::vector<float>& x, ActivationLayout layout) {
  Quantized result;
  const auto bytes =
      static_cast<std::size_t>(packed_bytes(layout, shape.col_blocks(), shape.activation_bits));
  std::vector<Line> out(bytes / sizeof(Line));
  auto* const packed = reinterpret_cast<std::uint8_t*>(out.data());
  result.run_sums.resize(static_cast<std::size_t>(shape.halves() * shape.runs()));
  result.ok =
      quantizer.run(x.data(), shape.cols, shape.col_blocks(), shape.run_blocks,
                    shape.activation_bits, layout, packed, result.run_sums.data(), &result.scale);
  result.packed.assign(packed, packed + bytes);
  return result;
}

void compare_quantizers(const Shape& shape, Bytes& in) {
  std::vector<float> x(static_cast<std::size_t>(shape.cols));
  const bool any_bits = in.next() % 2 == 0;  // else numbers of one magnitude
  for (float& value : x) {
    const std::uint32_t word = in.next_word();
    if (any_bits) {
      std::memcpy(&value, &word, sizeof value);
    } else {
      value = static_cast<float>(static_cast<std::int32_t>(word));
    }
  }
  for (const ActivationLayout layout : {kActivationNumbers, kActivationDigits}) {
    const Quantized expected = quantize_with(all_quantizers()[0], shape, x, layout);
    for (const ActivationQuantizer& quantizer : all_quantizers().subspan(1)) {
      if (!isa_runs_here(quantizer.isa)) continue;
      const Quantized actual = quantize_with(quantizer, shape, x, layout);
      if (actual.ok != expected.ok) std::abort();
      if (actual.ok == 0) continue;
      if (actual.scale != expected.scale || actual.packed != expected.packed ||
          actual.run_sums != expected.run_sums) {
        std::abort();
      }
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Bytes in(data, size);
  const Shape shape = read_shape(in);
  compare_kernels(shape, in);
  compare_quantizers(shape, in);
  return 0;
}
