// Bytes become a vector; a quantizer or packer of this CPU, which they name, must give the bits of
// the generic one, which the tests compare with the definition.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "fuzz/support/input.h"
#include "fuzz/support/of_this_cpu.h"
#include "kernel/registry.h"
#include "tests/kernel/problem.h"

namespace {

using namespace pbatch;           // NOLINT(google-build-using-namespace)
using namespace pbatch::testing;  // NOLINT(google-build-using-namespace)
using pbatch::fuzzing::Input;
using pbatch::fuzzing::of_this_cpu;

struct VectorShape {
  std::int64_t cols, blocks;
  int bits, run_blocks;

  std::size_t sums() const {
    return static_cast<std::size_t>(activation_halves(bits) *
                                    ((blocks + run_blocks - 1) / run_blocks));
  }
};

VectorShape read_shape(Input& in) {
  VectorShape s = {};
  s.cols = 1 + in.below(300);
  s.blocks = col_blocks(s.cols);
  s.bits = 8 << in.below(3);
  s.run_blocks = 1 << in.below(3);
  return s;
}

// A packed vector, aligned as kernels want it and exactly as long as it says.
class Packed {
 public:
  Packed(ActivationLayout layout, const VectorShape& s)
      : lines_(static_cast<std::size_t>(packed_bytes(layout, s.blocks, s.bits)) / sizeof(Line)) {}
  std::uint8_t* data() { return lines_.front().bytes; }
  bool operator==(const Packed& other) const {
    return std::memcmp(lines_.data(), other.lines_.data(), lines_.size() * sizeof(Line)) == 0;
  }

 private:
  std::vector<Line> lines_;
};

void must(bool holds) {
  if (!holds) std::abort();
}

void compare_quantizer(const VectorShape& s, Input& in) {
  static const auto others = of_this_cpu(all_quantizers(), false);
  if (others.empty()) return;
  const ActivationQuantizer& quantizer = in.one_of(others);
  const ActivationLayout layout = in.below(2) == 0 ? kActivationNumbers : kActivationDigits;
  const std::vector<float> x = in.floats(s.cols);
  Packed expected(layout, s), actual(layout, s);
  std::vector<std::int32_t> expected_sums(s.sums()), actual_sums(s.sums());
  float expected_scale = 0, actual_scale = 0;
  const auto run = [&](const ActivationQuantizer& q, Packed& out, std::vector<std::int32_t>& sums,
                       float& scale) {
    return q.run(x.data(), s.cols, s.blocks, s.run_blocks, s.bits, layout, out.data(), sums.data(),
                 &scale);
  };
  const int ok = run(all_quantizers()[0], expected, expected_sums, expected_scale);
  must(run(quantizer, actual, actual_sums, actual_scale) == ok);
  if (ok == 0) return;
  must(actual_scale == expected_scale && actual == expected && actual_sums == expected_sums);
  if (layout != kActivationDigits) return;
  static const auto all_sums = of_this_cpu(all_run_sums(), true);
  const RunSums& run_sums = in.one_of(all_sums);
  std::vector<std::int32_t> again(s.sums());
  run_sums.run(expected.data(), s.blocks, s.run_blocks, s.bits, again.data());
  must(again == expected_sums);
}

void compare_affine_quantizer(const VectorShape& s, Input& in) {
  static const auto others = of_this_cpu(all_affine_quantizers(), false);
  if (others.empty()) return;
  const AffineQuantizer& quantizer = in.one_of(others);
  const std::vector<float> x = in.floats(s.cols);
  std::vector<std::int8_t> expected(x.size()), actual(x.size());
  float expected_scale = 0, actual_scale = 0;
  std::int32_t expected_zero = 0, actual_zero = 0;
  const int ok = all_affine_quantizers()[0].run(x.data(), s.cols, expected.data(), &expected_scale,
                                                &expected_zero);
  must(quantizer.run(x.data(), s.cols, actual.data(), &actual_scale, &actual_zero) == ok);
  if (ok == 0) return;
  must(actual_scale == expected_scale && actual_zero == expected_zero && actual == expected);
}

void compare_packer(const VectorShape& s, Input& in) {
  static const auto others = of_this_cpu(all_packers(), false);
  if (others.empty()) return;
  const ActivationPacker& packer = in.one_of(others);
  std::vector<std::int32_t> q(static_cast<std::size_t>(s.blocks * kBlockCols));
  const std::int64_t limit = activation_qmax(s.bits);
  for (std::int64_t c = 0; c < s.cols; ++c) {
    q[static_cast<std::size_t>(c)] = static_cast<std::int32_t>(in.word() % (2 * limit + 1) - limit);
  }
  Packed expected(packer.layout, s), actual(packer.layout, s);
  packer_for({Isa::generic}, packer.layout).run(q.data(), s.blocks, s.bits, expected.data());
  packer.run(q.data(), s.blocks, s.bits, actual.data());
  must(actual == expected);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input in(data, size);
  const std::int64_t what = in.below(3);
  const VectorShape shape = read_shape(in);
  if (what == 0) compare_quantizer(shape, in);
  if (what == 1) compare_affine_quantizer(shape, in);
  if (what == 2) compare_packer(shape, in);
  return 0;
}
