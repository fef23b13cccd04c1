#include "quantize/quantize_matrix.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/aligned_buffer.h"
#include "pack/layout.h"
#include "pack/pack.h"
#include "quantize/group_fit.h"
#include "quantize/scale_codebook.h"

namespace pbatch {
namespace {

// Rows whose largest weight is below this count as zeros: scales stay normal numbers.
constexpr float kSmallestRow = 0x1p-100F;
// Levels tried around the one that just holds a group's largest weight.
constexpr int kLevelsBelow = 2, kLevelsAbove = 2;
// With few planes a step that clips pays, so the search goes further down.
constexpr int kLevelsBelowNarrow = 12;

struct Geometry {
  std::int64_t rows, cols, group, groups;
  std::int64_t begin(std::int64_t g) const { return g * group; }
  std::int64_t count(std::int64_t g) const { return std::min(group, cols - g * group); }
};

Status check(const FloatMatrixView& w) {
  for (std::int64_t r = 0; r < w.rows; ++r) {
    for (std::int64_t c = 0; c < w.cols; ++c) {
      const float v = w.data[r * w.row_stride + c * w.col_stride];
      if (!std::isfinite(v)) {
        return {ErrorCode::not_finite,
                "weight [" + std::to_string(r) + ", " + std::to_string(c) + "] is NaN or infinite",
                "repair or retrain the network"};
      }
      if (std::fabs(v) > kLargestWeight) {
        return {ErrorCode::unsupported, "a weight is larger than 2^64", "rescale the layer"};
      }
    }
  }
  return Status::ok();
}

// One pass over the matrix: rows in units of their scale, group after group.
class Coder {
 public:
  Coder(const FloatMatrixView& weights, int planes, int group)
      : weights_(weights), planes_(planes) {
    const std::int64_t size = group == 0 ? weights.cols : group;
    geometry_ = {weights.rows, weights.cols, size, (weights.cols + size - 1) / size};
    const auto rows = static_cast<std::size_t>(weights.rows);
    const std::size_t groups = rows * static_cast<std::size_t>(geometry_.groups);
    row_scale.resize(rows);
    group_codes.resize(groups);
    codes.resize(rows * static_cast<std::size_t>(weights.cols));
    peaks_.resize(groups);
    wishes_.resize(groups);
  }

  void run(ThreadPool& pool) {
    over_rows(pool, [this](std::int64_t r, float* w, std::int32_t*) { measure_row(r, w); });
    book = make_ladder(peaks_, planes_);
    over_rows(pool, [this](std::int64_t r, float* w, std::int32_t* u) { wish_row(r, w, u); });
    learn_shapes(book, wishes_);
    over_rows(pool, [this](std::int64_t r, float* w, std::int32_t* u) { code_row(r, w, u); });
  }

  ScaleCodebook book;
  std::vector<float> row_scale;
  std::vector<std::uint8_t> group_codes;
  std::vector<std::uint16_t> codes;

 private:
  template <class Work>
  void over_rows(ThreadPool& pool, const Work& work) {
    pool.parallel_for(geometry_.rows, 1, [&](std::int64_t begin, std::int64_t end) {
      std::vector<float> w(static_cast<std::size_t>(geometry_.cols));
      std::vector<std::int32_t> u(static_cast<std::size_t>(geometry_.group));
      for (std::int64_t r = begin; r < end; ++r) {
        load_row(r, w.data());
        work(r, w.data(), u.data());
      }
    });
  }

  // The row, in units of its scale once that is known.
  void load_row(std::int64_t r, float* w) const {
    const float scale = row_scale[static_cast<std::size_t>(r)];
    const float inverse = scale > 0 ? 1 / scale : 1;
    for (std::int64_t c = 0; c < geometry_.cols; ++c) {
      w[c] = weights_.data[r * weights_.row_stride + c * weights_.col_stride] * inverse;
    }
  }

  void measure_row(std::int64_t r, const float* w) {
    const auto row = static_cast<std::size_t>(r);
    float largest = 0;
    for (std::int64_t c = 0; c < geometry_.cols; ++c) largest = std::max(largest, std::fabs(w[c]));
    if (largest < kSmallestRow) return;   // the scale and all peaks stay zero
    row_scale[row] = largest / 255;
    for (std::int64_t g = 0; g < geometry_.groups; ++g) {
      const float* values = w + geometry_.begin(g);
      float peak = 0;
      for (std::int64_t i = 0; i < geometry_.count(g); ++i) peak = std::max(peak, std::fabs(values[i]));
      peaks_[index(r, g)] = peak / row_scale[row];
    }
  }

  std::pair<int, int> levels_to_try(float peak) const {
    const auto& step = book.step;
    const auto fits = std::lower_bound(step.begin() + 1, step.end() - 1, 0.985F * peak,
                                       [](std::uint8_t s, float p) { return s < p; });
    const int level = static_cast<int>(fits - step.begin());
    const int below = planes_ <= kNarrowWidths ? kLevelsBelowNarrow : kLevelsBelow;
    return {std::max(1, level - below), std::min(kLevels - 1, level + kLevelsAbove)};
  }

  // The best level for a group with free narrow scales, and those scales.
  void wish_row(std::int64_t r, const float* w, std::int32_t* u) {
    for (std::int64_t g = 0; g < geometry_.groups; ++g) {
      GroupWish& wish = wishes_[index(r, g)];
      const float peak = peaks_[index(r, g)];
      if (peak == 0) continue;   // level 0
      const auto [first, last] = levels_to_try(peak);
      float best = std::numeric_limits<float>::infinity();
      for (int level = first; level <= last; ++level) {
        const float q = book.step[static_cast<std::size_t>(level)];
        const GroupFit fit = fit_group(w + geometry_.begin(g), geometry_.count(g), q, planes_, u);
        float cost = fit.wide_cost;
        for (int n = 1; n <= std::min(planes_, kNarrowWidths); ++n) {
          cost += fit.narrow_cost(n, fit.best_scale(n));
        }
        if (cost >= best) continue;
        best = cost;
        wish.level = level;
        for (int n = 1; n <= kNarrowWidths; ++n) {
          wish.ratio[static_cast<std::size_t>(n - 1)] = n <= planes_ ? fit.best_scale(n) / q : 1;
        }
      }
    }
  }

  // The best level and shape that the codebook has, and the codes they give.
  void code_row(std::int64_t r, const float* w, std::int32_t* u) {
    for (std::int64_t g = 0; g < geometry_.groups; ++g) {
      const float* values = w + geometry_.begin(g);
      const float peak = peaks_[index(r, g)];
      int best_level = 0, best_shape = 0;
      if (peak > 0) {
        const auto [first, last] = levels_to_try(peak);
        float best = std::numeric_limits<float>::infinity();
        for (int level = first; level <= last; ++level) {
          const float q = book.step[static_cast<std::size_t>(level)];
          const GroupFit fit = fit_group(values, geometry_.count(g), q, planes_, u);
          for (int shape = 0; shape < kShapes; ++shape) {
            float cost = fit.wide_cost;
            for (int n = 1; n <= std::min(planes_, kNarrowWidths); ++n) {
              cost += fit.narrow_cost(n, book.scale(n, level, shape));
            }
            if (cost >= best) continue;
            best = cost;
            best_level = level;
            best_shape = shape;
          }
        }
      }
      group_codes[index(r, g)] = static_cast<std::uint8_t>(best_level * kShapes + best_shape);
      const float q = book.step[static_cast<std::size_t>(best_level)];
      encode_group(values, geometry_.count(g), q, planes_, u);
      std::uint16_t* out = codes.data() + r * geometry_.cols + geometry_.begin(g);
      for (std::int64_t i = 0; i < geometry_.count(g); ++i) out[i] = static_cast<std::uint16_t>(u[i]);
    }
  }

  std::size_t index(std::int64_t r, std::int64_t g) const {
    return static_cast<std::size_t>(r * geometry_.groups + g);
  }

  FloatMatrixView weights_;
  int planes_;
  Geometry geometry_{};
  std::vector<float> peaks_;
  std::vector<GroupWish> wishes_;
};

// One buffer for all of a matrix, planes first so that they are aligned.
Result<std::shared_ptr<const BitMatrix>> assemble(const Coder& coder, const FloatMatrixView& w,
                                                  int planes, int group) {
  const std::vector<std::uint8_t> table = coder.book.table();
  const auto plane = static_cast<std::size_t>(plane_bytes(w.rows, w.cols));
  const std::size_t planes_size = plane * static_cast<std::size_t>(planes);
  const std::size_t rows_size = coder.row_scale.size() * sizeof(float);
  const auto buffer = allocate_aligned(planes_size + rows_size + coder.group_codes.size() + table.size());
  if (buffer == nullptr) {
    return Status(ErrorCode::out_of_memory, "no memory for the bit-layers", "free some memory");
  }
  auto* const bytes = static_cast<std::uint8_t*>(buffer.get());
  auto matrix = std::make_shared<BitMatrix>();
  matrix->rows = w.rows;
  matrix->cols = w.cols;
  matrix->group = group;
  matrix->planes_stored = planes;
  matrix->codebook_widths = coder.book.widths();
  std::uint8_t* pointers[16];
  for (int p = 0; p < planes; ++p) {
    pointers[p] = bytes + plane * static_cast<std::size_t>(p);
    matrix->planes.emplace_back(pointers[p], plane);
  }
  pack_planes(coder.codes.data(), w.rows, w.cols, planes, pointers);

  auto* const scales = reinterpret_cast<float*>(bytes + planes_size);
  std::copy(coder.row_scale.begin(), coder.row_scale.end(), scales);
  matrix->row_scale = {scales, coder.row_scale.size()};
  std::uint8_t* const codes = bytes + planes_size + rows_size;
  std::copy(coder.group_codes.begin(), coder.group_codes.end(), codes);
  matrix->group_codes = {codes, coder.group_codes.size()};
  std::uint8_t* const book = codes + coder.group_codes.size();
  std::copy(table.begin(), table.end(), book);
  matrix->codebook = {book, table.size()};
  matrix->owner = buffer;
  return std::shared_ptr<const BitMatrix>(std::move(matrix));
}

}  // namespace

Result<QuantizedMatrix> quantize_matrix(const FloatMatrixView& weights, int planes, int group,
                                        ThreadPool& pool) {
  if (planes < 1 || planes > 16 || (group != 0 && group != 32 && group != 64 && group != 128)) {
    return Status(ErrorCode::invalid_argument,
                  std::to_string(planes) + " planes in groups of " + std::to_string(group) +
                      " cannot be made",
                  "use 1 to 16 planes and groups of 32, 64, 128 or 0 for whole rows");
  }
  PBATCH_RETURN_IF_ERROR(check(weights));
  Coder coder(weights, planes, group);
  coder.run(pool);
  QuantizedMatrix result;
  PBATCH_ASSIGN_OR_RETURN(result.matrix, assemble(coder, weights, planes, group));
  result.sqnr_db.resize(static_cast<std::size_t>(planes));
  pool.parallel_for(planes, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t n = begin; n < end; ++n) {
      result.sqnr_db[static_cast<std::size_t>(n)] =
          measure_sqnr_db(weights, *result.matrix, static_cast<int>(n) + 1);
    }
  });
  return result;
}

}  // namespace pbatch
