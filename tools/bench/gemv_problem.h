// One random matrix, as floats and as bit-layers, and the right answers.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "layout/bit_matrix.h"
#include "pbatch/status.h"

namespace pbatch {

struct GemvProblem {
  std::int64_t rows = 0, cols = 0, batch = 1;
  std::shared_ptr<const std::vector<float>> weights;  ///< [rows][cols], normally distributed
  std::vector<float> x;                               ///< [batch][cols]
  std::shared_ptr<const BitMatrix> matrix;
};

/// `planes` bit-layers of a matrix drawn from a fixed seed.
Result<GemvProblem> make_gemv_problem(std::int64_t rows, std::int64_t cols, std::int64_t batch,
                                      int planes, int group);

/// The same matrix and the first `batch` vectors.
GemvProblem with_batch(const GemvProblem& problem, std::int64_t batch);

/// Rows whose answers are compared: every `step`-th, the last among them, so
/// that checking a large batch takes no longer than timing it.
struct CheckedRows {
  std::int64_t first = 0, step = 1;
};
CheckedRows checked_rows(const GemvProblem& problem);

/// X W^T in double precision, [batch][checked rows], of `weights` [rows][cols].
std::vector<double> naive_product(const GemvProblem& problem, const float* weights,
                                  const std::vector<float>& x);

/// The activations as the kernels see them: rounded to `activation_bits`
/// (docs/bit-layers.md), as floats again.
std::vector<float> rounded_activations(const GemvProblem& problem, int activation_bits);

/// Compares `y` [batch][rows] with a naive product: an error that names `who`
/// if the norm of the difference exceeds `tolerance` times the answer's.
Status check_answer(const GemvProblem& problem, const std::vector<float>& y,
                    const std::vector<double>& right, double tolerance, const std::string& who);

}  // namespace pbatch
