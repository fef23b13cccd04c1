#include "quantize/row_compensator.h"

#include <algorithm>
#include <cmath>

#include "layout/pack.h"
#include "quantize/add_products.h"

namespace pbatch {
namespace {

constexpr std::int64_t kErrorBlock = 64;  // columns after which the others hear of their errors

// sum x_k y_k in eight interleaved sums, always in this order.
float dot(const float* x, const float* y, std::int64_t count) {
  constexpr int kLanes = 8;
  float sum[kLanes] = {};
  std::int64_t k = 0;
  for (; k + kLanes <= count; k += kLanes) {
    for (int l = 0; l < kLanes; ++l) sum[l] += x[k + l] * y[k + l];
  }
  for (int l = 0; k < count; ++k, ++l) sum[l] += x[k] * y[k];
  return ((sum[0] + sum[4]) + (sum[2] + sum[6])) + ((sum[1] + sum[5]) + (sum[3] + sum[7]));
}

float scaled_down(float scale, int width) { return scale / static_cast<float>(1 << width); }

}  // namespace

CompensatedLayout::CompensatedLayout(const MomentFactor& f, int planes, int group_cols)
    : factor(f),
      widths(planes),
      cols(f.cols),
      groups((f.cols + group_cols - 1) / group_cols),
      places(static_cast<std::size_t>(groups)) {
  group_of.resize(static_cast<std::size_t>(cols));
  for (std::int64_t p = 0; p < cols; ++p) {
    const std::int32_t g = f.order[static_cast<std::size_t>(p)] / group_cols;
    group_of[static_cast<std::size_t>(p)] = g;
    places[static_cast<std::size_t>(g)].push_back(static_cast<std::int32_t>(p));
  }
  for (const std::vector<std::int32_t>& of : places) {
    std::vector<float>& between = group_moments.emplace_back();
    for (const std::int32_t i : of) {
      for (const std::int32_t j : of) between.push_back(f.moment_row(i)[j]);
    }
  }
}

RowCompensator::RowCompensator(const CompensatedLayout& layout, const WeightView& weights,
                               const BitMatrix& start, const ScaleTable& table, std::int64_t begin,
                               std::int64_t end)
    : layout_(layout), table_(table), rows_(end - begin) {
  const auto cols = static_cast<std::size_t>(layout.cols), rows = static_cast<std::size_t>(rows_);
  std::vector<float> plain(rows * cols);
  weights.copy_rows(begin, end, plain.data());
  // unpack_planes wants a whole block of rows.
  const std::int64_t first = begin / kBlockRows * kBlockRows;
  std::vector<std::uint16_t> codes(static_cast<std::size_t>(end - first) * cols);
  std::vector<const std::uint8_t*> planes;
  for (int p = 0; p < layout.widths.top(); ++p) {
    planes.push_back(start.planes[static_cast<std::size_t>(p)].data() +
                     plane_bytes(first, layout.cols));
  }
  unpack_planes(planes.data(), layout.widths.top(), end - first, layout.cols, codes.data());

  weights_.resize(rows * cols);
  code_.resize(rows * cols);
  for (std::size_t r = 0; r < rows; ++r) {
    const float scale = start.row_scale[static_cast<std::size_t>(begin) + r];
    const float gain = scale > 0 ? 1 / scale : 0;
    const std::size_t from = (r + static_cast<std::size_t>(begin - first)) * cols;
    for (std::size_t p = 0; p < cols; ++p) {
      const auto c = static_cast<std::size_t>(layout.factor.order[p]);
      weights_[r * cols + p] = plain[r * cols + c] * gain;
      code_[r * cols + p] = static_cast<std::uint8_t>(codes[from + c]);
    }
  }
  fix_outliers(start, begin);
  const auto groups = static_cast<std::size_t>(layout.groups);
  const auto* const entries = start.group_codes.data() + static_cast<std::size_t>(begin) * groups;
  entry_.assign(entries, entries + rows * groups);
  half_step_.resize(rows * groups * kTreePlanes);
  for (std::int64_t r = 0; r < rows_; ++r) {
    for (std::int64_t g = 0; g < layout.groups; ++g) set_steps(r, g);
  }
  error_.resize(static_cast<std::size_t>(layout.widths.count) * rows * cols);
  gradient_.resize(error_.size());
}

void RowCompensator::fix_outliers(const BitMatrix& start, std::int64_t begin) {
  if (start.outlier_places.empty()) return;
  fixed_.resize(weights_.size());
  std::vector<std::size_t> place_of(static_cast<std::size_t>(layout_.cols));
  for (std::size_t p = 0; p < place_of.size(); ++p) {
    place_of[static_cast<std::size_t>(layout_.factor.order[p])] = p;
  }
  start.visit_outliers(begin, begin + rows_, [&](std::int64_t row, std::int64_t col, float) {
    fixed_[static_cast<std::size_t>((row - begin) * layout_.cols) +
           place_of[static_cast<std::size_t>(col)]] = true;
  });
}

void RowCompensator::set_steps(std::int64_t row, std::int64_t group) {
  const int entry = entry_[static_cast<std::size_t>(row * layout_.groups + group)];
  for (int w = 0; w < layout_.widths.count; ++w) {
    const int n = layout_.widths.width[static_cast<std::size_t>(w)];
    half_step(w, row, group) = scaled_down(table_.of(n, entry), n);
  }
}

void RowCompensator::set_errors(int widths) {
  const int top = layout_.widths.top();
  for (int w = 0; w < widths; ++w) {
    const int n = layout_.widths.width[static_cast<std::size_t>(w)];
    for (std::int64_t r = 0; r < rows_; ++r) {
      const std::size_t at = static_cast<std::size_t>(r * layout_.cols);
      float* const error = vector_of(error_, w, r);
      for (std::int64_t p = 0; p < layout_.cols; ++p) {
        const auto place = static_cast<std::size_t>(p);
        const auto level = static_cast<float>(level_of(code_[at + place], top, n));
        error[p] = is_fixed(r, p)
                       ? 0
                       : weights_[at + place] - half_step(w, r, layout_.group_of[place]) * level;
      }
    }
  }
}

void RowCompensator::measure(int widths) {
  set_errors(widths);
  const std::int64_t vectors = widths * rows_;
  std::fill_n(gradient_.begin(), vectors * layout_.cols, 0.0f);
  add_products(error_.data(), layout_.cols, layout_.factor.moments.data(), layout_.cols, vectors,
               layout_.cols, layout_.cols, gradient_.data(), layout_.cols);
}

double RowCompensator::noise_of_row(int width, std::int64_t row) const {
  return dot(vector_of(error_, width, row), vector_of(gradient_, width, row), layout_.cols);
}

void RowCompensator::feed_back(const WidthTree& tree) {
  const int count = layout_.widths.count, top = layout_.widths.top();
  const std::int64_t cols = layout_.cols;
  // gradient_ holds the targets.
  for (int w = 0; w < count; ++w) {
    for (std::int64_t r = 0; r < rows_; ++r) {
      std::copy_n(weights_.begin() + r * cols, cols, vector_of(gradient_, w, r));
    }
  }
  for (std::int64_t begin = 0; begin < cols; begin += kErrorBlock) {
    const std::int64_t end = std::min(cols, begin + kErrorBlock);
    for (std::int64_t p = begin; p < end; ++p) {
      const std::int64_t group = layout_.group_of[static_cast<std::size_t>(p)];
      const float* const feedback = layout_.factor.feedback_row(p);
      for (std::int64_t r = 0; r < rows_; ++r) {
        if (is_fixed(r, p)) {
          for (int w = 0; w < count; ++w) vector_of(error_, w, r)[p] = 0;
          continue;
        }
        float target[kTreePlanes];
        for (int w = 0; w < count; ++w) target[w] = vector_of(gradient_, w, r)[p];
        const float* const steps = &half_step(0, r, group);
        const int code = tree.choose(target, steps);
        code_[static_cast<std::size_t>(r * cols + p)] = static_cast<std::uint8_t>(code);
        for (int w = 0; w < count; ++w) {
          const int n = layout_.widths.width[static_cast<std::size_t>(w)];
          const float error = weights_[static_cast<std::size_t>(r * cols + p)] -
                              steps[w] * static_cast<float>(level_of(code, top, n));
          vector_of(error_, w, r)[p] = error;
          float* const targets = vector_of(gradient_, w, r);
          for (std::int64_t k = p + 1; k < end; ++k) targets[k] += error * feedback[k];
        }
      }
    }
    add_products(error_.data() + begin, cols, layout_.factor.feedback_row(begin) + end, cols,
                 count * rows_, end - begin, cols - end, gradient_.data() + end, cols);
  }
}

void RowCompensator::descend(const WidthTree& tree) {
  const int count = layout_.widths.count, top = layout_.widths.top();
  const std::int64_t cols = layout_.cols;
  std::vector<float> change(static_cast<std::size_t>(count * rows_ * kErrorBlock));
  for (std::int64_t begin = 0; begin < cols; begin += kErrorBlock) {
    const std::int64_t end = std::min(cols, begin + kErrorBlock);
    for (std::int64_t p = begin; p < end; ++p) {
      const std::int64_t group = layout_.group_of[static_cast<std::size_t>(p)];
      const float* const moments = layout_.factor.moment_row(p);
      const float inverse = 1 / moments[p];
      for (std::int64_t r = 0; r < rows_; ++r) {
        const float weight = weights_[static_cast<std::size_t>(r * cols + p)];
        float target[kTreePlanes];
        for (int w = 0; w < count; ++w) {
          target[w] =
              weight + (vector_of(gradient_, w, r)[p] * inverse - vector_of(error_, w, r)[p]);
        }
        const float* const steps = &half_step(0, r, group);
        std::uint8_t& held = code_[static_cast<std::size_t>(r * cols + p)];
        const int code = is_fixed(r, p) ? held : tree.choose(target, steps);
        const bool same = code == held;
        held = static_cast<std::uint8_t>(code);
        for (int w = 0; w < count; ++w) {
          float& changed =
              change[static_cast<std::size_t>((w * rows_ + r) * kErrorBlock + p - begin)];
          changed = 0;
          if (same) continue;
          const int n = layout_.widths.width[static_cast<std::size_t>(w)];
          const float error = weight - steps[w] * static_cast<float>(level_of(code, top, n));
          float* const old = vector_of(error_, w, r) + p;
          changed = error - *old;
          *old = error;
          float* const gradient = vector_of(gradient_, w, r);
          for (std::int64_t k = begin; k < end; ++k) gradient[k] += changed * moments[k];
        }
      }
    }
    const float* const rows = layout_.factor.moment_row(begin);
    add_products(change.data(), kErrorBlock, rows, cols, count * rows_, end - begin, begin,
                 gradient_.data(), cols);
    add_products(change.data(), kErrorBlock, rows + end, cols, count * rows_, end - begin,
                 cols - end, gradient_.data() + end, cols);
  }
}

// choose(row, group, current half steps [narrow], their best values, their curvatures) changes the
// half steps; errors and gradients follow.
template <class Choose>
void RowCompensator::visit_scales(int narrow, const Choose& choose) {
  const std::int64_t cols = layout_.cols;
  const int top = layout_.widths.top();
  for (std::int64_t g = 0; g < layout_.groups; ++g) {
    const std::vector<std::int32_t>& places = layout_.places[static_cast<std::size_t>(g)];
    const auto size = static_cast<std::int64_t>(places.size());
    const float* const between = layout_.group_moments[static_cast<std::size_t>(g)].data();
    std::vector<float> change(static_cast<std::size_t>(narrow * rows_ * size), 0.0f);
    std::vector<float> level(static_cast<std::size_t>(narrow * size));
    bool any = false;
    for (std::int64_t r = 0; r < rows_; ++r) {
      if (entry_[static_cast<std::size_t>(r * layout_.groups + g)] == 0) continue;
      float step[3], best[3], curvature[3];
      for (int w = 0; w < narrow; ++w) {
        const int n = layout_.widths.width[static_cast<std::size_t>(w)];
        float* const b = &level[static_cast<std::size_t>(w * size)];
        const float* const gradient = vector_of(gradient_, w, r);
        float slope = 0;
        for (std::int64_t i = 0; i < size; ++i) {
          const std::int32_t p = places[static_cast<std::size_t>(i)];
          const int code = code_[static_cast<std::size_t>(r * cols + p)];
          b[i] = is_fixed(r, p) ? 0 : static_cast<float>(level_of(code, top, n));
          slope += b[i] * gradient[p];
        }
        curvature[w] = 0;
        for (std::int64_t i = 0; i < size; ++i)
          curvature[w] += b[i] * dot(b, between + i * size, size);
        step[w] = half_step(w, r, g);
        best[w] = step[w] + slope / curvature[w];
      }
      choose(r, g, step, best, curvature);
      for (int w = 0; w < narrow; ++w) {
        const float by = step[w] - half_step(w, r, g);
        if (by == 0) continue;
        any = true;
        half_step(w, r, g) = step[w];
        float* const error = vector_of(error_, w, r);
        for (std::int64_t i = 0; i < size; ++i) {
          const float delta = -by * level[static_cast<std::size_t>(w * size + i)];
          change[static_cast<std::size_t>((w * rows_ + r) * size + i)] = delta;
          error[places[static_cast<std::size_t>(i)]] += delta;
        }
      }
    }
    if (!any) continue;
    std::vector<float> rows(static_cast<std::size_t>(size * cols));
    for (std::int64_t i = 0; i < size; ++i) {
      std::copy_n(layout_.factor.moment_row(places[static_cast<std::size_t>(i)]), cols,
                  rows.begin() + i * cols);
    }
    add_products(change.data(), size, rows.data(), cols, narrow * rows_, size, cols,
                 gradient_.data(), cols);
  }
}

std::vector<ScaleTarget> RowCompensator::fit_scales() {
  const int narrow = std::min(table_.narrow(), layout_.widths.count);
  std::vector<ScaleTarget> targets(static_cast<std::size_t>(rows_ * layout_.groups * narrow));
  visit_scales(narrow, [&](std::int64_t r, std::int64_t g, float* step, const float* best,
                           const float* curvature) {
    for (int w = 0; w < narrow; ++w) {
      const auto unit = static_cast<float>(2 << w);
      const float scale = std::clamp(best[w] * unit, 1.0f, 255.0f);
      step[w] = scale / unit;
      targets[static_cast<std::size_t>((r * layout_.groups + g) * narrow + w)] = {
          scale, curvature[w] / (unit * unit)};
    }
  });
  return targets;
}

void RowCompensator::choose_scales(const std::vector<std::uint8_t>& choices, const double* weight) {
  const int narrow = std::min(table_.narrow(), layout_.widths.count);
  visit_scales(narrow, [&](std::int64_t r, std::int64_t g, float* step, const float* best,
                           const float* curvature) {
    std::uint8_t& entry = entry_[static_cast<std::size_t>(r * layout_.groups + g)];
    double least = INFINITY;
    int chosen = entry;
    for (int e = 1; e < 256; ++e) {
      if (choices[static_cast<std::size_t>(e)] != choices[entry]) continue;
      double cost = 0;
      for (int w = 0; w < narrow; ++w) {
        const double by = scaled_down(table_.of(w + 1, e), w + 1) - best[w];
        cost += weight[w] * curvature[w] * by * by;
      }
      if (cost < least) {
        least = cost;
        chosen = e;
      }
    }
    entry = static_cast<std::uint8_t>(chosen);
    for (int w = 0; w < narrow; ++w) step[w] = scaled_down(table_.of(w + 1, chosen), w + 1);
  });
}

void RowCompensator::copy_codes(std::int64_t row, std::uint8_t* codes) const {
  const auto cols = static_cast<std::size_t>(layout_.cols);
  for (std::size_t p = 0; p < cols; ++p) {
    codes[layout_.factor.order[p]] = code_[static_cast<std::size_t>(row) * cols + p];
  }
}

}  // namespace pbatch
