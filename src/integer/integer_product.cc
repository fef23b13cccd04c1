#include "integer/integer_product.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <new>

#include "base/aligned_buffer.h"
#include "integer/dyadic.h"
#include "layout/layout.h"
#include "layout/pack.h"
#include "op/bits/bit_weights.h"

namespace pbatch {
namespace {

// Sums beyond this leave too few bits for what they are scaled by.
constexpr double kLargestBias = 0x1p44;

int field_bits(int bits) { return bits <= 2 ? bits : bits <= 4 ? 4 : bits <= 8 ? 8 : 16; }

std::int64_t groups_of(const IntegerWeights& w) { return (w.cols + w.group - 1) / w.group; }

std::int32_t level(const IntegerWeights& w, std::int64_t row, std::int64_t col) {
  return 2 * w.codes[static_cast<std::size_t>(row * w.cols + col)] - ((1 << w.bits) - 1);
}

int scale_at(const IntegerWeights& w, std::int64_t row, std::int64_t col) {
  return w.scales[static_cast<std::size_t>(row * groups_of(w) + col / w.group)];
}

void store_codes(const IntegerWeights& w, IntegerProduct& made) {
  pb_product& p = made.view;
  p.rows = static_cast<std::int32_t>(w.rows);
  p.cols = static_cast<std::int32_t>(w.cols);
  p.bits = field_bits(w.bits);
  p.levels = (1 << w.bits) - 1;
  p.group = static_cast<std::int32_t>(w.group);
  if (p.bits == 16) {
    made.words = w.codes;
    return;
  }
  const std::int64_t per_byte = 8 / p.bits, row_bytes = (w.cols + per_byte - 1) / per_byte;
  made.bytes.assign(static_cast<std::size_t>(w.rows * row_bytes), 0);
  for (std::int64_t r = 0; r < w.rows; ++r) {
    for (std::int64_t c = 0; c < w.cols; ++c) {
      const unsigned code = w.codes[static_cast<std::size_t>(r * w.cols + c)];
      made.bytes[static_cast<std::size_t>(r * row_bytes + c / per_byte)] |=
          static_cast<std::uint8_t>(code << (c % per_byte * p.bits));
    }
  }
}

// As pb_product has it.
void store_tiles(const IntegerWeights& w, IntegerProduct& made) {
  if (made.view.bits == 16) return;
  const std::int64_t tiles = (w.rows + PB_TILE_ROWS - 1) / PB_TILE_ROWS, groups = groups_of(w);
  const std::int64_t blocks = (w.cols + 31) / 32, bits = made.view.bits, fields = 8 / bits;
  const auto bytes = static_cast<std::size_t>(tiles * blocks * bits * 64);
  made.tiles = allocate_aligned(bytes);
  if (made.tiles == nullptr) throw std::bad_alloc();  // as vectors do
  auto* const codes = static_cast<std::uint8_t*>(made.tiles.get());
  std::memset(codes, 0, bytes);
  made.tile_scales.assign(static_cast<std::size_t>(tiles * groups * PB_TILE_ROWS), 0);
  made.tile_offsets.assign(static_cast<std::size_t>(w.rows), 0);
  for (std::int64_t r = 0; r < w.rows; ++r) {
    const std::int64_t tile = r / PB_TILE_ROWS, in_tile = r % PB_TILE_ROWS;
    const std::int64_t first = tile / PB_BAND_TILES * PB_BAND_TILES;
    const std::int64_t in_band = std::min<std::int64_t>(PB_BAND_TILES, tiles - first);
    std::int64_t sum = 0;
    for (std::int64_t c = 0; c < w.cols; ++c) {
      const std::int64_t block = first * blocks + c / 32 * in_band + tile - first;
      const std::int64_t quad = c % 32 / 4;
      const std::int64_t byte = (block * bits + quad / fields) * 64 + in_tile * 4 + c % 4;
      const unsigned code = w.codes[static_cast<std::size_t>(r * w.cols + c)];
      codes[byte] |= static_cast<std::uint8_t>(code << (quad % fields * bits));
      sum += scale_at(w, r, c) * level(w, r, c);
    }
    made.tile_offsets[static_cast<std::size_t>(r)] = 128 * sum;
    for (std::int64_t g = 0; g < groups; ++g) {
      const std::int64_t at = first * groups + g * in_band + tile - first;
      made.tile_scales[static_cast<std::size_t>(at * PB_TILE_ROWS + in_tile)] =
          w.scales[static_cast<std::size_t>(r * groups + g)];
    }
  }
}

struct RowSums {
  double l1 = 0, lo = 0, hi = 0;  // of q * level; of their products with a range
};

// Also counts the runs whose sums fit 16 bits.
RowSums sum_row(const IntegerWeights& w, std::int64_t row, const Interval& range, double most,
                AccumulatorBound& bound) {
  RowSums sums;
  for (std::int64_t begin = 0; begin < w.cols;) {
    const std::int64_t group_end = std::min((begin / w.group + 1) * w.group, w.cols);
    const std::int64_t end = std::min<std::int64_t>(begin + PB_RUN, group_end);
    double run = 0;
    for (std::int64_t c = begin; c < end; ++c) {
      const double q = scale_at(w, row, c), l = level(w, row, c), v = q * l;
      run += std::fabs(l);
      sums.l1 += std::fabs(v);
      sums.lo += std::min(v * range.lo, v * range.hi);
      sums.hi += std::max(v * range.lo, v * range.hi);
    }
    bound.largest_run = std::max(bound.largest_run, run * most);
    bound.runs_in_16 += run * most < 32768 ? 1 : 0;
    ++bound.runs;
    begin = end;
  }
  return sums;
}

}  // namespace

void IntegerProduct::point() {
  view.codes = view.bits == 16 ? static_cast<const void*>(words.data()) : bytes.data();
  view.tiles = static_cast<const std::uint8_t*>(tiles.get());
  view.tile_scales = tile_scales.empty() ? nullptr : tile_scales.data();
  view.tile_offsets = tile_offsets.empty() ? nullptr : tile_offsets.data();
  view.scales = scales.empty() ? nullptr : scales.data();
  view.to_result = to_result.data();
  view.bias = bias.empty() ? nullptr : bias.data();
}

Interval IntegerProduct::interval() const {
  Interval all = rows.empty() ? Interval{} : rows.front();
  for (const Interval& row : rows) {
    all = {std::min(all.lo, row.lo), std::max(all.hi, row.hi)};
  }
  return all;
}

Result<IntegerWeights> IntegerWeights::of_bits(const BitMatrix& m, int width, std::int64_t begin,
                                               std::int64_t end) {
  PBATCH_RETURN_IF_ERROR(check_planes(m, width));
  if (!m.outlier_places.empty()) {
    return Status(ErrorCode::unsupported, "integer arithmetic has no weights apart from the codes",
                  "quantize with --outliers 0");
  }
  IntegerWeights w;
  w.rows = end - begin;
  w.cols = m.cols;
  w.group = m.group == 0 ? m.cols : m.group;
  w.bits = width;
  w.codes.resize(static_cast<std::size_t>(w.rows * w.cols));
  w.scales.resize(static_cast<std::size_t>(w.rows * m.groups()));
  std::vector<const std::uint8_t*> planes;
  for (int i = 0; i < width; ++i) planes.push_back(m.planes[static_cast<std::size_t>(i)].data());
  std::uint16_t block[kBlockCols];
  for (std::int64_t r = 0; r < w.rows; ++r) {
    for (std::int64_t b = 0; b < col_blocks(m.cols); ++b) {
      unpack_row(planes.data(), width, m.cols, begin + r, b, block);
      const std::int64_t first = b * kBlockCols;
      std::copy_n(block, std::min<std::int64_t>(kBlockCols, m.cols - first),
                  w.codes.begin() + static_cast<std::ptrdiff_t>(r * w.cols + first));
    }
    for (std::int64_t g = 0; g < m.groups(); ++g) {
      w.scales[static_cast<std::size_t>(r * m.groups() + g)] = m.group_scale(width, begin + r, g);
    }
    w.row_scale.push_back(m.row_scale[static_cast<std::size_t>(begin + r)]);
  }
  return w;
}

IntegerWeights IntegerWeights::of_floats(const float* from, std::int64_t rows, std::int64_t cols,
                                         bool transposed) {
  IntegerWeights w;
  w.rows = rows;
  w.cols = cols;
  w.group = std::max<std::int64_t>(cols, 1);
  w.bits = 16;
  w.codes.resize(static_cast<std::size_t>(rows * cols));
  for (std::int64_t r = 0; r < rows; ++r) {
    const auto at = [&](std::int64_t c) {
      return static_cast<double>(from[transposed ? c * rows + r : r * cols + c]);
    };
    double most = 0;
    for (std::int64_t c = 0; c < cols; ++c) most = std::max(most, std::fabs(at(c)));
    for (std::int64_t c = 0; c < cols; ++c) {
      const double u = most > 0 ? std::floor((at(c) / most + 1) * 32768) : 0;
      w.codes[static_cast<std::size_t>(r * cols + c)] =
          static_cast<std::uint16_t>(std::clamp(u, 0.0, 65535.0));
    }
    w.row_scale.push_back(most);
    w.scales.push_back(most > 0 ? 1 : 0);
  }
  return w;
}

double IntegerWeights::value(std::int64_t row, std::int64_t col) const {
  return std::ldexp(row_scale[static_cast<std::size_t>(row)] * scale_at(*this, row, col), -bits) *
         level(*this, row, col);
}

std::shared_ptr<IntegerProduct> make_integer_product(
    IntegerWeights w, const IntegerFormat& x, const Interval& range, const float* bias,
    const std::function<IntegerFormat(const Interval&)>& y_format, bool relu, IntegerFormat* y) {
  auto made = std::make_shared<IntegerProduct>();
  made->bound.rows = w.rows;
  made->bound.cols = w.cols;
  made->bound.weight_bits = w.bits;
  const Interval codes{range.lo / x.scale, range.hi / x.scale};
  std::vector<double> unit(static_cast<std::size_t>(w.rows)), l1(unit.size());
  for (std::int64_t r = 0; r < w.rows; ++r) {
    const auto i = static_cast<std::size_t>(r);
    unit[i] = std::ldexp(w.row_scale[i], -w.bits) * x.scale;
    const double b = bias != nullptr ? static_cast<double>(bias[r]) : 0;
    if (!(unit[i] > 0) || std::fabs(b) > unit[i] * kLargestBias) {
      // Weights that are nothing beside the bias.
      std::fill_n(w.scales.begin() + static_cast<std::ptrdiff_t>(r * groups_of(w)), groups_of(w),
                  0);
      unit[i] = std::max(std::fabs(b), 1e-30) * 0x1p-30;
    }
    const RowSums sums = sum_row(w, r, codes, x.magnitude(), made->bound);
    l1[i] = sums.l1 * x.magnitude();
    made->bound.largest = std::max(made->bound.largest, l1[i]);
    made->rows.push_back({sums.lo * unit[i] + b, sums.hi * unit[i] + b});
    if (bias != nullptr) made->bias.push_back(std::llround(b / unit[i]));
  }
  Interval all = made->interval();
  if (relu) all = {std::max(all.lo, 0.0), std::max(all.hi, 0.0)};
  *y = y_format(all);
  for (std::size_t i = 0; i < unit.size(); ++i) {
    const double added = bias != nullptr ? std::fabs(static_cast<double>(made->bias[i])) : 0;
    made->to_result.push_back(dyadic_of(unit[i] / y->scale, l1[i] + added));
  }
  store_codes(w, *made);
  store_tiles(w, *made);
  made->scales = std::move(w.scales);
  made->view.lo = relu ? std::max(y->lo, 0) : y->lo;
  made->view.hi = y->hi;
  const bool is_byte = x.lo >= -128 && x.hi <= 127;
  made->view.bytes = is_byte ? 1 : x.lo >= 0 && x.hi <= 255 ? 2 : 0;
  made->view.narrow = made->bound.largest < 2147483648.0 ? 1 : 0;
  made->point();
  return made;
}

std::shared_ptr<IntegerProduct> make_integer_table(
    IntegerWeights w, const std::function<IntegerFormat(const Interval&)>& y_format,
    IntegerFormat* y) {
  auto made = std::make_shared<IntegerProduct>();
  Interval all;
  for (std::int64_t r = 0; r < w.rows; ++r) {
    for (std::int64_t c = 0; c < w.cols; ++c) {
      const double v = w.value(r, c);
      all = {std::min(all.lo, v), std::max(all.hi, v)};
    }
  }
  *y = y_format(all);
  for (std::int64_t r = 0; r < w.rows; ++r) {
    const double unit = std::ldexp(w.row_scale[static_cast<std::size_t>(r)], -w.bits);
    made->to_result.push_back(dyadic_of(unit / y->scale, 255.0 * 65536));
  }
  store_codes(w, *made);
  made->scales = std::move(w.scales);
  made->view.lo = y->lo;
  made->view.hi = y->hi;
  made->point();
  return made;
}

}  // namespace pbatch
