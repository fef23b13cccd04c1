// Rows of a matrix while their codes are made to compensate each other's errors.
#pragma once

#include <cstdint>
#include <vector>

#include "layout/bit_matrix.h"
#include "quantize/moment_factor.h"
#include "quantize/weight_view.h"
#include "quantize/width_tree.h"

namespace pbatch {

/// What all blocks of rows of a matrix share. Columns are places of the factor's order.
class CompensatedLayout {
 public:
  CompensatedLayout(const MomentFactor& factor, int planes, int group_cols);

  const MomentFactor& factor;
  const TreeWidths widths;
  std::int64_t cols = 0, groups = 0;
  std::vector<std::int32_t> group_of;             ///< of each place
  std::vector<std::vector<std::int32_t>> places;  ///< of each group, ascending
  std::vector<std::vector<float>> group_moments;  ///< H between the places of each group
};

/// A codebook as rows of 256 scales, as BitMatrix has it.
struct ScaleTable {
  int rows = 0;
  std::vector<std::uint8_t> scale;
  float of(int width, int code) const {
    const int row = (width < rows ? width : rows) - 1;
    return scale[static_cast<std::size_t>(row * 256 + code)];
  }
  /// The scales that error compensation may change: all but a last row that is the step.
  int narrow() const { return rows <= 3 ? rows : 3; }
};

/// The scale of one group at one narrow width that would leave least error, all others as they are.
struct ScaleTarget {
  float scale = 0;   ///< in units of the row's scale
  float weight = 0;  ///< what its squared deviation costs, without the importance of its width
};

/// A block of rows, in units of their row's scale. What it computes does not depend on which rows
/// share a block. Throws std::bad_alloc.
class RowCompensator {
 public:
  /// Codes and scales of `start`, which must outlive it, as must the layout.
  RowCompensator(const CompensatedLayout& layout, const WeightView& weights, const BitMatrix& start,
                 const ScaleTable& table, std::int64_t begin, std::int64_t end);

  /// Codes anew, column by column, each making up for the errors of those before it.
  void feed_back(const WidthTree& tree);
  /// Before the calls below, and after feed_back() again: gradients of the first `widths` widths.
  void measure(int widths);
  /// Sum of e H e' at a width (index of TreeWidths), in units of the row's scale, row by row.
  double noise_of_row(int width, std::int64_t row) const;
  /// The best free scales of the narrow widths, group after group: [row][group][narrow].
  std::vector<ScaleTarget> fit_scales();
  /// Gives every group, one after the other, the entry of its step that leaves least noise, each
  /// width weighted by `weight`.
  void choose_scales(const std::vector<std::uint8_t>& choices, const double* weight);
  /// One sweep: every code in turn becomes the best one while all others stay.
  void descend(const WidthTree& tree);

  /// Codes of TreeWidths::top() bits in the order of the matrix's columns, and the groups' entries.
  void copy_codes(std::int64_t row, std::uint8_t* codes) const;
  const std::uint8_t* entries_of(std::int64_t row) const {
    return &entry_[static_cast<std::size_t>(row * layout_.groups)];
  }

 private:
  float* vector_of(std::vector<float>& of, int width, std::int64_t row) {
    return &of[static_cast<std::size_t>((width * rows_ + row) * layout_.cols)];
  }
  const float* vector_of(const std::vector<float>& of, int width, std::int64_t row) const {
    return &of[static_cast<std::size_t>((width * rows_ + row) * layout_.cols)];
  }
  float& half_step(int width, std::int64_t row, std::int64_t group) {
    return half_step_[static_cast<std::size_t>((row * layout_.groups + group) * kTreePlanes +
                                               width)];
  }
  void fix_outliers(const BitMatrix& start, std::int64_t begin);
  void set_steps(std::int64_t row, std::int64_t group);
  void set_errors(int widths);
  bool is_fixed(std::int64_t row, std::int64_t place) const {
    return !fixed_.empty() && fixed_[static_cast<std::size_t>(row * layout_.cols + place)];
  }
  template <class Choose>
  void visit_scales(int widths, const Choose& choose);

  const CompensatedLayout& layout_;
  const ScaleTable& table_;
  std::int64_t rows_;
  std::vector<float> weights_;       // [row][place]
  std::vector<std::uint8_t> code_;   // [row][place]
  std::vector<bool> fixed_;          // [row][place]: outliers, which have no error; or empty
  std::vector<std::uint8_t> entry_;  // [row][group]
  std::vector<float> half_step_;     // [row][group][width]
  std::vector<float> error_;         // [width][row][place]: w minus its value at that width
  std::vector<float> gradient_;      // the same of error H
};

}  // namespace pbatch
