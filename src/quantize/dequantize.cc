#include "quantize/dequantize.h"

#include <algorithm>
#include <exception>
#include <vector>

#include "kernel/vector_fns.h"
#include "layout/pack.h"
#include "layout/scheme.h"
#include "quantize/row_blocks.h"

namespace pbatch {
namespace {

double half_step(const BitMatrix& m, int width, std::int64_t row, std::int64_t group) {
  return half_step_of(m.row_scale[static_cast<std::size_t>(row)], m.group_scale(width, row, group),
                      width);
}

}  // namespace

Result<Tensor> dequantize(const BitMatrix& m, int width, bool transposed) try {
  PBATCH_ASSIGN_OR_RETURN(
      Tensor result,
      Tensor::create(DType::f32, transposed ? Shape{m.cols, m.rows} : Shape{m.rows, m.cols}));
  auto* out = result.mutable_data<float>();
  const std::int64_t row_stride = transposed ? 1 : m.cols, col_stride = transposed ? m.rows : 1;
  const std::int64_t group_cols = m.group == 0 ? m.cols : m.group;
  std::vector<std::uint16_t> codes(static_cast<std::size_t>(kBlockRows * m.cols));
  std::vector<const std::uint8_t*> planes(static_cast<std::size_t>(width));
  for_each_row_block(m.rows, nullptr, [&](std::int64_t begin, std::int64_t end) {
    for (std::size_t p = 0; p < planes.size(); ++p) {
      planes[p] = m.planes[p].data() + plane_bytes(begin, m.cols);
    }
    unpack_planes(planes.data(), width, end - begin, m.cols, codes.data());
    for (std::int64_t g = 0; g < m.groups(); ++g) {
      const std::int64_t last = std::min(m.cols, (g + 1) * group_cols);
      double scale[kBlockRows];
      for (std::int64_t r = begin; r < end; ++r) {
        scale[r - begin] = half_step(m, width, r, g);
      }
      for (std::int64_t c = g * group_cols; c < last; ++c) {
        for (std::int64_t r = begin; r < end; ++r) {
          const int code = codes[static_cast<std::size_t>((r - begin) * m.cols + c)];
          out[r * row_stride + c * col_stride] = value_of_code(scale[r - begin], code, width);
        }
      }
    }
    m.visit_outliers(begin, end, [&](std::int64_t r, std::int64_t c, float value) {
      out[r * row_stride + c * col_stride] = value;
    });
  });
  return result;
} catch (const std::exception&) {
  return Status(ErrorCode::out_of_memory, "not enough memory for the float matrix",
                "use a machine with more memory");
}

void prefetch_row(const BitMatrix& m, int width, std::int64_t row) {
  for (int p = 0; p < width; ++p) {
    const std::uint8_t* const plane = m.planes[static_cast<std::size_t>(p)].data();
    for (std::int64_t block = 0; block < col_blocks(m.cols); ++block) {
      __builtin_prefetch(plane + row_lane(row, block, m.cols));
    }
  }
}

void dequantize_row(const BitMatrix& m, int width, std::int64_t row, float* out) {
  const std::uint8_t* planes[16] = {};
  for (int p = 0; p < width; ++p) planes[p] = m.planes[static_cast<std::size_t>(p)].data();
  const VectorFns& fns = vector_fns();
  for (std::int64_t first = 0; first < m.cols; first += kBlockCols) {
    std::uint32_t words[16];
    row_words(planes, width, m.cols, row, first / kBlockCols, words);
    // No border of groups cuts a block.
    const double step = half_step(m, width, row, m.group == 0 ? 0 : first / m.group);
    if (m.cols - first >= kBlockCols) {
      fns.weights(width, words, step, out + first);
      continue;
    }
    float last[kBlockCols];
    fns.weights(width, words, step, last);
    std::copy_n(last, m.cols - first, out + first);
  }
  m.visit_outliers(row, row + 1,
                   [&](std::int64_t, std::int64_t c, float value) { out[c] = value; });
}

}  // namespace pbatch
