#include "quantize/matrix_storage.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "base/aligned_buffer.h"
#include "layout/pack.h"

namespace pbatch {

Status no_memory_to_quantize() {
  return {ErrorCode::out_of_memory, "not enough memory to quantize the matrix",
          "use a machine with more memory or leave this layer float"};
}

Result<MatrixStorage> MatrixStorage::allocate(std::int64_t rows, std::int64_t cols, int planes,
                                              int group, int codebook_widths,
                                              std::span<const std::int32_t> outlier_places,
                                              std::span<const float> outlier_values) {
  MatrixStorage s;
  BitMatrix& m = s.matrix;
  m.rows = rows;
  m.cols = cols;
  m.group = group;
  m.planes_stored = planes;
  m.codebook_widths = codebook_widths;
  const auto plane = static_cast<std::size_t>(plane_bytes(rows, cols));
  const auto codes = static_cast<std::size_t>(rows * m.groups());
  const auto book = static_cast<std::size_t>(codebook_widths) * 256;
  const std::size_t scales = static_cast<std::size_t>(rows) * sizeof(float);
  const std::size_t plane_total = plane * static_cast<std::size_t>(planes);
  std::shared_ptr<void> buffer =
      allocate_aligned(plane_total + book + scales + outlier_places.size_bytes() +
                       outlier_values.size_bytes() + codes);
  if (buffer == nullptr) return no_memory_to_quantize();
  auto* at = static_cast<std::uint8_t*>(buffer.get());
  for (int p = 0; p < planes; ++p, at += plane) {
    s.planes.push_back(at);
    m.planes.emplace_back(at, plane);
  }
  m.codebook = {s.codebook = at, book};
  at += book;
  s.row_scale = reinterpret_cast<float*>(at);
  m.row_scale = {s.row_scale, static_cast<std::size_t>(rows)};
  at += scales;
  auto* const places = reinterpret_cast<std::int32_t*>(at);
  std::copy(outlier_places.begin(), outlier_places.end(), places);
  m.outlier_places = {places, outlier_places.size()};
  at += outlier_places.size_bytes();
  auto* const values = reinterpret_cast<float*>(at);
  std::copy(outlier_values.begin(), outlier_values.end(), values);
  m.outlier_values = {values, outlier_values.size()};
  at += outlier_values.size_bytes();
  m.group_codes = {s.group_codes = at, codes};
  m.owner = std::move(buffer);
  return s;
}

void MatrixStorage::pack(const std::uint16_t* codes, std::int64_t begin, std::int64_t end) const {
  std::vector<std::uint8_t*> block = planes;
  for (std::uint8_t*& plane : block) plane += plane_bytes(begin, matrix.cols);
  pack_planes(codes, end - begin, matrix.cols, matrix.planes_stored, block.data());
}

}  // namespace pbatch
