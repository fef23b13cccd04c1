#include "quantize/row_sums.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <new>

#include "layout/layout.h"
#include "layout/pack.h"
#include "layout/scheme.h"
#include "quantize/matrix_storage.h"
#include "quantize/row_blocks.h"
#include "quantize/width_tree.h"

namespace pbatch {
namespace {

// What all rows share. Lanes are widths of TreeWidths; those behind them have no weight.
struct SumWidths {
  SumWidths(const BitMatrix& plain, const std::vector<double>& sqnr_db)
      : widths(plain.planes_available()) {
    const double least = *std::max_element(sqnr_db.begin(), sqnr_db.end());
    for (int i = 0; i < widths.count; ++i) {
      const int n = widths.width[static_cast<std::size_t>(i)];
      shift[i] = widths.top() - n;
      last[i] = static_cast<float>((1 << n) - 1);
      half[i] = std::ldexp(1.0F, n - 1);
      // One over the noise that the plain code has there.
      weight[i] =
          static_cast<float>(std::pow(10, (sqnr_db[static_cast<std::size_t>(n) - 1] - least) / 10));
    }
  }
  TreeWidths widths;
  int shift[kTreePlanes] = {};
  float last[kTreePlanes] = {}, half[kTreePlanes] = {}, weight[kTreePlanes] = {};
};

// The scales of one group in units of the row's scale.
struct GroupScales {
  GroupScales(const BitMatrix& m, const SumWidths& w, std::int64_t row, std::int64_t group)
      : step(m.group_scale(m.planes_stored, row, group)) {
    for (int i = 0; i < w.widths.count; ++i) {
      const int n = w.widths.width[static_cast<std::size_t>(i)];
      half_step[i] = static_cast<float>(m.group_scale(n, row, group)) / static_cast<float>(1 << n);
    }
  }
  float step, half_step[kTreePlanes] = {};
};

// A weight whose code may become the next one.
struct Change {
  float cost;  // what its own errors grow by
  std::int32_t col;
  std::int32_t code;  // that it would have
};

// One row after the other, in units of its scale.
class RowBalancer {
 public:
  RowBalancer(const SumWidths& widths, float share) : w_(widths), share_(share) {}

  void start() {
    std::fill_n(sum_, kTreePlanes, 0.0F);
    for (std::vector<Change>& changes : changes_) changes.clear();
  }

  // The code of top() bits that a weight has.
  void add(std::int32_t col, float x, int code, const GroupScales& scales) {
    const float at = (x / scales.step + 1) * w_.half[w_.widths.count - 1];
    const int next = at - static_cast<float>(code) < 0.5F ? code - 1 : code + 1;
    const Errors held = errors(x, code, scales);
    for (int i = 0; i < w_.widths.count; ++i) sum_[i] += held.of[i];
    if (next < 0 || next >= 1 << w_.widths.top()) return;
    const Errors other = errors(x, next, scales);
    float cost = 0;
    for (int i = 0; i < w_.widths.count; ++i) {
      cost += w_.weight[i] * (other.of[i] * other.of[i] - held.of[i] * held.of[i]);
    }
    // The narrowest width at which the codes differ: those above do not see the change.
    int i = 0;
    while (code >> w_.shift[i] == next >> w_.shift[i]) ++i;
    changes_[i].push_back({cost, col, next});
  }

  // A weight that every width takes for zero.
  void lose(float x) {
    for (float& sum : sum_) sum += x;
  }

  // Calls apply(column, code) for the changes that pay, narrow widths first, and the
  // cheapest of a width first.
  template <class StepOf, class Apply>
  void balance(const StepOf& scales_of, const std::vector<std::int32_t>& codes,
               const Apply& apply) {
    for (int first = 0; first < w_.widths.count; ++first) {
      std::vector<Change>& changes = changes_[first];
      std::sort(changes.begin(), changes.end(), [](const Change& a, const Change& b) {
        return a.cost != b.cost ? a.cost < b.cost : a.col < b.col;
      });
      for (const Change& change : changes) {
        const GroupScales& scales = scales_of(change.col);
        const int code = codes[static_cast<std::size_t>(change.col)];
        float by[kTreePlanes] = {};
        for (int i = first; i < w_.widths.count; ++i) {
          const int levels = 2 * ((code >> w_.shift[i]) - (change.code >> w_.shift[i]));
          by[i] = scales.half_step[i] * static_cast<float>(levels);
        }
        // Wider widths have more changes of their own, which come later.
        const float cost =
            change.cost + share_ * w_.weight[first] * by[first] * (2 * sum_[first] + by[first]);
        if (!(cost < 0)) continue;
        for (int i = first; i < w_.widths.count; ++i) sum_[i] += by[i];
        apply(change.col, change.code);
      }
    }
  }

 private:
  struct Errors {
    float of[kTreePlanes] = {};
  };
  Errors errors(float x, int code, const GroupScales& scales) const {
    Errors e;
    for (int i = 0; i < w_.widths.count; ++i) {
      const int n = w_.widths.width[static_cast<std::size_t>(i)];
      e.of[i] = x - scales.half_step[i] * static_cast<float>(level_of_code(code >> w_.shift[i], n));
    }
    return e;
  }

  const SumWidths& w_;
  const float share_;
  float sum_[kTreePlanes] = {};  // of the errors, by width
  std::vector<Change> changes_[kTreePlanes];
};

}  // namespace

Result<std::shared_ptr<const BitMatrix>> balance_row_sums(const WeightView& weights,
                                                          const BitMatrix& plain,
                                                          const std::vector<double>& sqnr_db,
                                                          double share, ThreadPool* pool) try {
  PBATCH_ASSIGN_OR_RETURN(
      MatrixStorage made,
      MatrixStorage::allocate(plain.rows, plain.cols, plain.planes_stored, plain.group,
                              plain.codebook_widths, plain.outlier_places, plain.outlier_values));
  std::copy(plain.row_scale.begin(), plain.row_scale.end(), made.row_scale);
  std::copy(plain.group_codes.begin(), plain.group_codes.end(), made.group_codes);
  std::copy(plain.codebook.begin(), plain.codebook.end(), made.codebook);
  const SumWidths widths(plain, sqnr_db);
  const std::int64_t cols = plain.cols, group = plain.group == 0 ? cols : plain.group;
  const int planes = plain.planes_stored, low = planes - widths.widths.top();
  for_each_row_block(plain.rows, pool, [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> x(static_cast<std::size_t>((end - begin) * cols));
    weights.copy_rows(begin, end, x.data());
    std::vector<std::uint16_t> codes(x.size());
    std::vector<const std::uint8_t*> from;
    for (const auto& plane : plain.planes) from.push_back(plane.data() + plane_bytes(begin, cols));
    unpack_planes(from.data(), planes, end - begin, cols, codes.data());
    std::vector<bool> fixed(x.size(), false);
    plain.visit_outliers(begin, end, [&](std::int64_t r, std::int64_t c, float) {
      fixed[static_cast<std::size_t>((r - begin) * cols + c)] = true;
    });
    std::vector<std::int32_t> tops(static_cast<std::size_t>(cols));
    RowBalancer balancer(widths, static_cast<float>(share));
    std::vector<GroupScales> scales;
    for (std::int64_t r = begin; r < end; ++r) {
      const float scale = plain.row_scale[static_cast<std::size_t>(r)];
      if (!(scale > 0)) continue;
      balancer.start();
      scales.clear();
      for (std::int64_t g = 0; g < plain.groups(); ++g) scales.emplace_back(plain, widths, r, g);
      const auto of = [&](std::int64_t c) -> const GroupScales& {
        return scales[static_cast<std::size_t>(c / group)];
      };
      const std::size_t row = static_cast<std::size_t>((r - begin) * cols);
      const float gain = 1 / scale;
      for (std::int64_t c = 0; c < cols; ++c) {
        const std::size_t at = row + static_cast<std::size_t>(c);
        tops[static_cast<std::size_t>(c)] = codes[at] >> low;
        if (fixed[at]) continue;
        if (of(c).step > 0) {
          balancer.add(static_cast<std::int32_t>(c), x[at] * gain, codes[at] >> low, of(c));
        } else {
          balancer.lose(x[at] * gain);
        }
      }
      balancer.balance(of, tops, [&](std::int32_t c, std::int32_t code) {
        const std::size_t at = row + static_cast<std::size_t>(c);
        // Planes below: the end of the cell that is nearer to the weight.
        codes[at] = static_cast<std::uint16_t>(code << low);
        if (code < tops[static_cast<std::size_t>(c)]) codes[at] += (1 << low) - 1;
      });
    }
    made.pack(codes.data(), begin, end);
  });
  return std::shared_ptr<const BitMatrix>(
      std::make_shared<const BitMatrix>(std::move(made.matrix)));
} catch (const std::bad_alloc&) {
  return no_memory_to_quantize();
}

}  // namespace pbatch
