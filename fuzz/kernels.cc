// Bytes become a product; a kernel of this CPU, which they name, must give what the definition
// says.
#include <algorithm>
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

// Weights times vectors times planes of an execution: of most few, so that many are run; of one in
// sixteen enough for a whole band of a whole run of columns, several vectors and all planes.
constexpr std::int64_t kLittleWork = 1 << 13, kMuchWork = 1 << 16;

Shape read_shape(Input& in) {
  Shape shape;
  shape.rows = 1 + in.below(300);
  shape.cols = 1 + in.below(700);
  shape.batch = 1 + in.below(20);
  shape.n_planes = static_cast<int>(1 + in.below(8));
  shape.activation_bits = 8 << in.below(3);
  shape.run_blocks = 1 << in.below(3);
  const std::int64_t most = in.below(16) == 0 ? kMuchWork : kLittleWork;
  // Which sides become shorter is for the input to say too.
  std::int64_t* const sides[] = {&shape.rows, &shape.cols, &shape.batch};
  for (std::int64_t first = in.below(3);
       shape.rows * shape.cols * shape.batch * shape.n_planes > most; ++first) {
    std::int64_t& side = *sides[first % 3];
    side = (side + 1) / 2;
  }
  return shape;
}

Problem read_problem(Input& in) {
  const Shape shape = read_shape(in);
  Problem p = blank_problem(shape);
  for (auto& code : p.codes) {
    code = static_cast<std::uint16_t>(in.byte() & ((1 << shape.n_planes) - 1));
  }
  for (auto& scale : p.scales) scale = scale == 0 ? 0 : in.byte();
  const std::int64_t limit = q_max(shape.activation_bits);
  for (std::int64_t v = 0; v < shape.batch; ++v) {
    for (std::int64_t c = 0; c < shape.cols; ++c) {
      p.q[static_cast<std::size_t>(v * shape.padded_cols() + c)] =
          static_cast<std::int32_t>(in.word() % (2 * limit + 1) - limit);
    }
  }
  return p;
}

// sum (2 u - top) x over columns of one row, x a half of each q. Not instrumented: it is the
// larger part of an execution, and its bounds are plain.
__attribute__((no_sanitize("address", "undefined", "coverage"))) std::int64_t dot(
    const std::uint16_t* u, const std::int32_t* x, std::int64_t count, std::int32_t top) {
  std::int64_t sum = 0;
  for (std::int64_t c = 0; c < count; ++c) {
    sum += static_cast<std::int64_t>(2 * u[c] - top) * x[c];
  }
  return sum;
}

// The accumulators by kernel.h's definition, from codes and numbers as they are: [batch][halves]
// [acc_stride]. Rows that pad a block have scales of 0.
std::vector<float> accumulators(const Problem& p) {
  const Shape& s = p.shape;
  const std::int64_t run_cols = s.run_blocks * kBlockCols;
  std::vector<float> acc(static_cast<std::size_t>(s.batch * s.halves() * s.acc_stride()));
  std::vector<std::int32_t> x(static_cast<std::size_t>(s.cols));
  for (std::int64_t v = 0; v < s.batch; ++v) {
    for (int half = 0; half < s.halves(); ++half) {
      for (std::int64_t c = 0; c < s.cols; ++c) {
        x[static_cast<std::size_t>(c)] = half_of(
            p.q[static_cast<std::size_t>(v * s.padded_cols() + c)], half, s.activation_bits);
      }
      for (std::int64_t row = 0; row < s.rows; ++row) {
        float sum = 0.0F;
        for (std::int64_t run = 0; run < s.runs(); ++run) {
          const std::int64_t begin = run * run_cols;
          const std::int64_t exact = dot(p.codes.data() + row * s.cols + begin, x.data() + begin,
                                         std::min(run_cols, s.cols - begin), (1 << s.n_planes) - 1);
          const std::int64_t scale =
              (row / kBlockRows * s.runs() + run) * kBlockRows + row % kBlockRows;
          const float product =
              static_cast<float>(exact) * p.scales[static_cast<std::size_t>(scale)];
          sum = sum + product;
        }
        acc[static_cast<std::size_t>((v * s.halves() + half) * s.acc_stride() + row)] = sum;
      }
    }
  }
  return acc;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input in(data, size);
  static const auto kernels = pbatch::fuzzing::of_this_cpu(all_kernels(), true);
  const BitKernel& kernel = in.one_of(kernels);
  const Problem p = read_problem(in);
  const std::vector<float> expected = accumulators(p);
  const std::vector<std::uint32_t> actual = run_kernel(kernel, p);
  if (std::memcmp(actual.data(), expected.data(), actual.size() * sizeof(float)) != 0) std::abort();
  return 0;
}
