#include "quantize/compensate.h"

#include <algorithm>
#include <cmath>
#include <new>

#include "layout/layout.h"
#include "quantize/fit_table.h"
#include "quantize/matrix_storage.h"
#include "quantize/moment_factor.h"
#include "quantize/row_compensator.h"
#include "quantize/step_stats.h"
#include "quantize/width_tree.h"

namespace pbatch {
namespace {

constexpr std::int64_t kRowsTogether = 32;     // a multiple of kBlockRows
constexpr std::int64_t kSampleRows = 512;      // that noise is measured on
constexpr std::int64_t kSampleGroups = 16384;  // that scales are learned from
// Sweeps of descent: the later ones gain a tenth of a decibel, and large matrices take minutes.
constexpr int kSweeps = 4, kSweepsOfLarge = 2;
constexpr std::int64_t kLarge = std::int64_t{1} << 22;  // weights
// The widest width counts more, so many times, until it gains as much: inputs that differ from
// those that codes were made for cost up to a decibel there. Large matrices are not made again.
constexpr double kWideGainDb = 1;
constexpr double kMoreForWidest = 4;

// A part of the rows and what they are multiplied with.
struct Part {
  std::int64_t begin = 0, end = 0;
  std::unique_ptr<MomentFactor> factor;
  std::unique_ptr<CompensatedLayout> layout;
  std::vector<double> noise;   // of the plain code, by width
  std::vector<double> weight;  // importance over noise
  std::unique_ptr<WidthTree> tree;
};

// Blocks of rows, spread evenly over a part, of about `wanted` rows.
std::vector<std::int64_t> sample_blocks(const Part& part, std::int64_t wanted) {
  const std::int64_t blocks = (part.end - part.begin + kRowsTogether - 1) / kRowsTogether;
  const std::int64_t take =
      std::clamp<std::int64_t>((wanted + kRowsTogether - 1) / kRowsTogether, 1, blocks);
  std::vector<std::int64_t> first;
  for (std::int64_t i = 0; i < take; ++i) {
    first.push_back(part.begin + i * blocks / take * kRowsTogether);
  }
  return first;
}

class Compensator {
 public:
  Compensator(const WeightView& weights, const BitMatrix& plain, ThreadPool* pool)
      : weights_(weights),
        plain_(plain),
        pool_(pool),
        widths_(plain.planes_available()),
        group_cols_(plain.group == 0 ? static_cast<int>(plain.cols) : plain.group) {
    table_.rows = plain.codebook_widths;
  }

  Result<CompensatedMatrix> run(const MatrixMoments& moments) {
    const int attempts = plain_.rows * plain_.cols > kLarge ? 1 : moments.attempts;
    for (int attempt = 1;; ++attempt) {
      PBATCH_ASSIGN_OR_RETURN(MatrixStorage made, make(moments.fit));
      CompensatedMatrix result;
      PBATCH_ASSIGN_OR_RETURN(result.gain_db, judge(made.matrix, moments.check));
      if (result.gain_db.back() < kWideGainDb && attempt < attempts) {
        widest_counts_ *= kMoreForWidest;
        continue;
      }
      if (is_better(result.gain_db)) {
        result.matrix = std::make_shared<const BitMatrix>(std::move(made.matrix));
      }
      return result;
    }
  }

 private:
  Result<MatrixStorage> make(const std::vector<InputMoments>& moments) {
    table_.scale.assign(plain_.codebook.begin(), plain_.codebook.end());
    PBATCH_RETURN_IF_ERROR(prepare(moments, true, &parts_));
    for (Part& part : parts_) weigh(&part);
    PBATCH_ASSIGN_OR_RETURN(MatrixStorage made,
                            MatrixStorage::allocate(plain_.rows, plain_.cols, plain_.planes_stored,
                                                    plain_.group, plain_.codebook_widths,
                                                    plain_.outlier_places, plain_.outlier_values));
    std::copy(plain_.row_scale.begin(), plain_.row_scale.end(), made.row_scale);
    std::copy(plain_.group_codes.begin(), plain_.group_codes.end(), made.group_codes);

    // Scales of the plain code, then the codes that make up for their errors, then both in turn.
    const ScaleTable of_plain = table_;
    learn_scales(plain_, of_plain);
    make_codes(made);
    learn_scales(made.matrix, table_);
    std::copy(table_.scale.begin(), table_.scale.end(), made.codebook);
    improve_codes(made);
    parts_.clear();
    return made;
  }

  double importance_of(int n) const {
    return importance_of_width(n) * (n == widths_.top() ? widest_counts_ : 1);
  }

  // `to_code`: codes will be made by these moments, not only measured.
  Status prepare(const std::vector<InputMoments>& moments, bool to_code,
                 std::vector<Part>* parts) const {
    std::int64_t at = 0;
    for (const InputMoments& m : moments) {
      if (m.cols != plain_.cols || m.row_begin != at || m.row_end <= at) break;
      if (at % kBlockRows != 0) break;  // they are packed together
      PBATCH_ASSIGN_OR_RETURN(MomentFactor factor,
                              to_code ? factor_moments(m, pool_) : order_moments(m));
      Part part;
      part.begin = m.row_begin;
      part.end = at = m.row_end;
      part.factor = std::make_unique<MomentFactor>(std::move(factor));
      part.layout =
          std::make_unique<CompensatedLayout>(*part.factor, plain_.planes_available(), group_cols_);
      parts->push_back(std::move(part));
    }
    if (at == plain_.rows) return Status::ok();
    return {ErrorCode::invalid_argument, "the moments do not fit the matrix",
            "collect them on the network that is quantized"};
  }

  template <class Task>  // task(first row, row behind the last, index of the block)
  void for_blocks(const Part& part, const std::vector<std::int64_t>& first,
                  const Task& task) const {
    const auto range = [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        const std::int64_t row = first[static_cast<std::size_t>(i)];
        task(row, std::min(part.end, row + kRowsTogether), i);
      }
    };
    const auto count = static_cast<std::int64_t>(first.size());
    if (pool_ == nullptr) {
      range(0, count);
    } else {
      pool_->parallel_for(count, 1, range);
    }
  }

  // Noise of `matrix` at every width over a sample of the part's rows.
  std::vector<double> noise_of(const Part& part, const BitMatrix& matrix,
                               const ScaleTable& table) const {
    const std::vector<std::int64_t> blocks = sample_blocks(part, kSampleRows);
    const auto count = static_cast<std::size_t>(widths_.count);
    std::vector<double> sums(blocks.size() * count, 0);
    for_blocks(part, blocks, [&](std::int64_t begin, std::int64_t end, std::int64_t i) {
      RowCompensator rows(*part.layout, weights_, matrix, table, begin, end);
      rows.measure(widths_.count);
      for (std::int64_t r = begin; r < end; ++r) {
        const double scale = plain_.row_scale[static_cast<std::size_t>(r)];
        for (std::size_t w = 0; w < count; ++w) {
          sums[static_cast<std::size_t>(i) * count + w] +=
              scale * scale * rows.noise_of_row(static_cast<int>(w), r - begin);
        }
      }
    });
    std::vector<double> noise(count, 0);
    for (std::size_t i = 0; i < sums.size(); ++i) noise[i % count] += sums[i];
    return noise;
  }

  void weigh(Part* part) const {
    part->noise = noise_of(*part, plain_, table_);
    double most = 0;
    for (const double noise : part->noise) most = std::max(most, noise);
    for (int w = 0; w < widths_.count; ++w) {
      const auto i = static_cast<std::size_t>(w);
      // Weights that a width tells exactly must not make it count infinitely.
      const double noise = std::max(part->noise[i], most * 1e-9) + 1e-300;
      part->weight.push_back(importance_of(widths_.width[i]) * (most + 1e-300) / noise);
    }
    part->tree = std::make_unique<WidthTree>(widths_, part->weight.data());
  }

  // The table fitted to codes and entries of `matrix` under the scales of `now`.
  void learn_scales(const BitMatrix& matrix, const ScaleTable& now) {
    const int narrow = std::min(table_.narrow(), widths_.count);
    std::vector<WantedScales> wanted;
    for (const Part& part : parts_) {
      const std::vector<std::int64_t> blocks =
          sample_blocks(part, std::max<std::int64_t>(64, kSampleGroups / plain_.groups()));
      std::vector<std::vector<WantedScales>> of_block(blocks.size());
      for_blocks(part, blocks, [&](std::int64_t begin, std::int64_t end, std::int64_t i) {
        RowCompensator rows(*part.layout, weights_, matrix, now, begin, end);
        rows.measure(narrow);
        const std::vector<ScaleTarget> targets = rows.fit_scales();
        for (std::int64_t r = begin; r < end; ++r) {
          const float scale = plain_.row_scale[static_cast<std::size_t>(r)];
          for (std::int64_t g = 0; g < plain_.groups(); ++g) {
            WantedScales w;
            w.entry = rows.entries_of(r - begin)[g];
            for (int n = 0; n < narrow; ++n) {
              const auto at =
                  static_cast<std::size_t>(((r - begin) * plain_.groups() + g) * narrow + n);
              w.target[n] = targets[at];
              w.target[n].weight *=
                  static_cast<float>(part.weight[static_cast<std::size_t>(n)]) * scale * scale;
            }
            of_block[static_cast<std::size_t>(i)].push_back(w);
          }
        }
      });
      for (const auto& block : of_block) wanted.insert(wanted.end(), block.begin(), block.end());
    }
    fit_table(wanted, &table_);
  }

  // Puts the block's codes and entries into `made`.
  void store(const RowCompensator& rows, std::int64_t begin, std::int64_t end,
             const MatrixStorage& made) const {
    const std::int64_t cols = plain_.cols;
    const int planes = plain_.planes_stored, top = widths_.top();
    std::vector<std::uint8_t> codes(static_cast<std::size_t>(cols));
    std::vector<std::uint16_t> all(static_cast<std::size_t>((end - begin) * cols));
    std::vector<float> weights(all.size());
    if (planes > top) weights_.copy_rows(begin, end, weights.data());
    for (std::int64_t r = begin; r < end; ++r) {
      rows.copy_codes(r - begin, codes.data());
      const std::uint8_t* const entries = rows.entries_of(r - begin);
      std::copy_n(entries, plain_.groups(), made.group_codes + r * plain_.groups());
      std::uint16_t* const out = all.data() + (r - begin) * cols;
      for (std::int64_t c = 0; c < cols; ++c) out[c] = codes[static_cast<std::size_t>(c)];
      if (planes > top) refine(r, weights.data() + (r - begin) * cols, entries, out);
    }
    made.pack(all.data(), begin, end);
  }

  // The planes behind the tree's: where in its cell a weight lies, or the cell's nearer end.
  void refine(std::int64_t row, const float* weights, const std::uint8_t* entries,
              std::uint16_t* codes) const {
    const int planes = plain_.planes_stored, shift = planes - widths_.top();
    const float scale = plain_.row_scale[static_cast<std::size_t>(row)];
    for (std::int64_t c = 0; c < plain_.cols; ++c) {
      const float step = table_.of(planes, entries[c / group_cols_]);
      int code = codes[c] << shift;
      const int last = code + (1 << shift) - 1;
      if (scale > 0 && step > 0) {
        code = std::clamp(static_cast<int>(Encoder(planes, step)(weights[c] / scale)), code, last);
      }
      codes[c] = static_cast<std::uint16_t>(code);
    }
  }

  static std::vector<std::int64_t> all_blocks(const Part& part) {
    return sample_blocks(part, part.end - part.begin);
  }

  void make_codes(const MatrixStorage& made) const {
    const std::vector<std::uint8_t> levels = levels_of(table_);
    for (const Part& part : parts_) {
      for_blocks(part, all_blocks(part), [&](std::int64_t begin, std::int64_t end, std::int64_t) {
        RowCompensator rows(*part.layout, weights_, plain_, table_, begin, end);
        rows.measure(std::min(table_.narrow(), widths_.count));
        rows.choose_scales(levels, part.weight.data());
        rows.feed_back(*part.tree);
        store(rows, begin, end, made);
      });
    }
  }

  void improve_codes(const MatrixStorage& made) const {
    const int sweeps = plain_.rows * plain_.cols > kLarge ? kSweepsOfLarge : kSweeps;
    const std::vector<std::uint8_t> levels = levels_of(table_);
    for (const Part& part : parts_) {
      for_blocks(part, all_blocks(part), [&](std::int64_t begin, std::int64_t end, std::int64_t) {
        RowCompensator rows(*part.layout, weights_, made.matrix, table_, begin, end);
        rows.measure(widths_.count);
        for (int sweep = 0; sweep < sweeps; ++sweep) {
          rows.choose_scales(levels, part.weight.data());
          rows.descend(*part.tree);
        }
        rows.choose_scales(levels, part.weight.data());
        store(rows, begin, end, made);
      });
    }
  }

  // Decibels gained at widths 1 .. planes.
  Result<std::vector<double>> judge(const BitMatrix& made,
                                    const std::vector<InputMoments>& moments) const {
    std::vector<Part> parts;
    PBATCH_RETURN_IF_ERROR(prepare(moments, false, &parts));
    ScaleTable of_plain = table_;
    of_plain.scale.assign(plain_.codebook.begin(), plain_.codebook.end());
    const auto count = static_cast<std::size_t>(widths_.count);
    std::vector<double> before(count, 0), after(count, 0);
    for (const Part& part : parts) {
      const std::vector<double> b = noise_of(part, plain_, of_plain);
      const std::vector<double> a = noise_of(part, made, table_);
      for (std::size_t w = 0; w < count; ++w) {
        before[w] += b[w];
        after[w] += a[w];
      }
    }
    std::vector<double> gain;
    for (int n = 1; n <= widths_.top(); ++n) {
      std::size_t w = 0;
      while (widths_.width[w] < n) ++w;
      const auto of = [&](std::size_t i) {
        return 10 * std::log10((before[i] + 1e-300) / (after[i] + 1e-300));
      };
      gain.push_back(widths_.width[w] == n ? of(w) : (of(w) + of(w - 1)) / 2);
    }
    return gain;
  }

  // Over the widths, each by its importance; and never at the cost of the widest.
  bool is_better(const std::vector<double>& gain_db) const {
    if (gain_db.back() < 0) return false;
    double sum = 0;
    for (int w = 0; w < widths_.count; ++w) {
      const int n = widths_.width[static_cast<std::size_t>(w)];
      sum += importance_of_width(n) * gain_db[static_cast<std::size_t>(n) - 1];
    }
    return sum > 0;
  }

  const WeightView& weights_;
  const BitMatrix& plain_;
  ThreadPool* const pool_;
  const TreeWidths widths_;
  const int group_cols_;
  double widest_counts_ = 1;  // more than importance_of_width() says, so many times
  ScaleTable table_;
  std::vector<Part> parts_;
};

}  // namespace

Result<CompensatedMatrix> compensate_matrix(const WeightView& weights, const BitMatrix& plain,
                                            const MatrixMoments& moments, ThreadPool* pool) try {
  return Compensator(weights, plain, pool).run(moments);
} catch (const std::bad_alloc&) {
  return no_memory_to_quantize();
}

}  // namespace pbatch
