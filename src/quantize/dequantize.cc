#include "quantize/dequantize.h"

#include <algorithm>
#include <cmath>
#include <exception>
#include <vector>

#include "pack/pack.h"
#include "quantize/row_blocks.h"

namespace pbatch {

Result<Tensor> dequantize(const BitMatrix& m, int width, bool transposed) try {
  PBATCH_ASSIGN_OR_RETURN(
      Tensor result,
      Tensor::create(DType::f32, transposed ? Shape{m.cols, m.rows} : Shape{m.rows, m.cols}));
  auto* out = result.mutable_data<float>();
  const std::int64_t row_stride = transposed ? 1 : m.cols, col_stride = transposed ? m.rows : 1;
  const std::int64_t group_cols = m.group == 0 ? m.cols : m.group;
  const double centre = std::ldexp(1, width) - 1;
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
        scale[r - begin] = m.row_scale[static_cast<std::size_t>(r)] *
                           std::ldexp(m.group_scale(width, r, g), -width);
      }
      for (std::int64_t c = g * group_cols; c < last; ++c) {
        for (std::int64_t r = begin; r < end; ++r) {
          const double u = codes[static_cast<std::size_t>((r - begin) * m.cols + c)];
          out[r * row_stride + c * col_stride] =
              static_cast<float>(scale[r - begin] * (2 * u - centre));
        }
      }
    }
  });
  return result;
} catch (const std::exception&) {
  return Status(ErrorCode::out_of_memory, "not enough memory for the float matrix",
                "use a machine with more memory");
}

}  // namespace pbatch
