#include "quantize/quantize_matrix.h"

#include <algorithm>
#include <new>
#include <string>
#include <utility>

#include "pbatch/quantize.h"
#include "quantize/ladder.h"
#include "quantize/magnitudes.h"
#include "quantize/matrix_storage.h"
#include "quantize/outliers.h"
#include "quantize/row_blocks.h"
#include "quantize/scale_codebook.h"
#include "quantize/sqnr.h"

namespace pbatch {
namespace {

// Few levels leave more entries for the narrow scales of each: 28 cost the wide
// widths 0.1 dB against a free step and give that back at 1 to 3 bits.
constexpr int kLadderLevels = 28;

// The most weights that kAutoGroup has groups of 32 for.
constexpr std::int64_t kSmallMatrix = 1 << 18;

// Chooses the group codes, makes the codes and packs them, for one block of rows.
void encode_rows(const WeightView& weights, const Magnitudes& magnitudes, const ScaleCodebook& book,
                 std::int64_t begin, std::int64_t end, const MatrixStorage& to) {
  const std::int64_t cols = weights.cols;
  const int planes = to.matrix.planes_stored;
  std::vector<float> x(static_cast<std::size_t>((end - begin) * cols));
  std::vector<std::uint16_t> codes(x.size());
  weights.copy_rows(begin, end, x.data());
  for (std::int64_t r = begin; r < end; ++r) {
    const float gain = magnitudes.gain(r);
    for (std::int64_t g = 0; g < magnitudes.groups; ++g) {
      const std::int64_t first = g * magnitudes.group_cols;
      const std::int64_t count = std::min(cols - first, magnitudes.group_cols);
      float* group = x.data() + (r - begin) * cols + first;
      for (std::int64_t c = 0; c < count; ++c) group[c] *= gain;
      const auto index = static_cast<std::size_t>(r * magnitudes.groups + g);
      const auto [code, step] = book.choose(group, count, magnitudes.greatest[index] * gain);
      to.group_codes[index] = code;
      const Encoder encode(planes, step);
      std::uint16_t* out = codes.data() + (r - begin) * cols + first;
      for (std::int64_t c = 0; c < count; ++c) {
        out[c] = static_cast<std::uint16_t>(encode(group[c]));
      }
    }
  }
  to.pack(codes.data(), begin, end);
}

}  // namespace

int group_for(int group, std::int64_t elements) {
  if (group != kAutoGroup) return group;
  return elements <= kSmallMatrix ? 32 : 64;
}

Status check_quantization(int planes, int group) {
  if (planes < 1 || planes > 16) {
    return {ErrorCode::invalid_argument,
            "cannot store " + std::to_string(planes) + " bit-layers per matrix",
            "choose 1 to 16 planes"};
  }
  if (group != 0 && group != 32 && group != 64 && group != 128) {
    return {ErrorCode::invalid_argument,
            "cannot use groups of " + std::to_string(group) + " columns",
            "choose 32, 64 or 128, or 0 for whole rows"};
  }
  return Status::ok();
}

Result<QuantizedMatrix> quantize_matrix(const WeightView& weights, int planes, int group,
                                        ThreadPool* pool, double most_outliers) try {
  PBATCH_RETURN_IF_ERROR(check_quantization(planes, group));
  if (weights.rows < 1 || weights.cols < 1) {
    return Status(ErrorCode::invalid_argument, "an empty matrix cannot be quantized",
                  "leave this layer float");
  }
  PBATCH_ASSIGN_OR_RETURN(Magnitudes magnitudes, measure_magnitudes(weights, group, pool));
  const Outliers outliers = find_outliers(weights, magnitudes, most_outliers, pool);
  std::vector<float> others;
  WeightView coded = weights;
  if (!outliers.places.empty()) {
    others = without_outliers(weights, outliers, magnitudes.group_cols);
    coded = {others.data(), weights.rows, weights.cols, weights.cols};
    PBATCH_ASSIGN_OR_RETURN(magnitudes, measure_magnitudes(coded, group, pool));
  }
  const Widths widths(planes);
  std::vector<int> ladder =
      fit_ladder(step_mass(magnitudes, widths.smallest_step()), kLadderLevels);
  if (ladder.empty()) ladder.push_back(255);  // all weights are zeros
  const ScaleCodebook book(widths, std::move(ladder), sample_groups(coded, magnitudes));

  PBATCH_ASSIGN_OR_RETURN(
      const MatrixStorage storage,
      MatrixStorage::allocate(weights.rows, weights.cols, planes, group, widths.codebook_rows(),
                              outliers.places, outliers.values));
  book.write(storage.codebook);
  std::copy(magnitudes.row_scale.begin(), magnitudes.row_scale.end(), storage.row_scale);
  for_each_row_block(weights.rows, pool, [&](std::int64_t begin, std::int64_t end) {
    encode_rows(coded, magnitudes, book, begin, end, storage);
  });
  auto matrix = std::make_shared<const BitMatrix>(storage.matrix);
  std::vector<double> sqnr = measure_sqnr(*matrix, weights, pool);
  return QuantizedMatrix{std::move(matrix), std::move(sqnr)};
} catch (const std::bad_alloc&) {
  return no_memory_to_quantize();
}

}  // namespace pbatch
