// The libraries everybody has, on the products that the kernels are measured with.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/buffer_pool.h"
#include "base/thread_pool.h"
#include "pbatch/status.h"

namespace pbatch {

struct BaselineProblem {
  std::int64_t rows = 0, cols = 0, batch = 1;
  const float* weights = nullptr;  ///< [rows][cols]
  const float* x = nullptr;        ///< [batch][cols]
};

/// What a baseline computed: y [batch][rows] should be x [batch][cols] times w
/// [rows][cols], transposed. w and x are the numbers that it works with, which
/// are rounded where it is an integer product.
struct BaselineAnswer {
  std::vector<float> w, x, y;
};

/// One library's product of a matrix of its own with the problem's vectors. Not thread-safe.
class Baseline {
 public:
  virtual ~Baseline() = default;
  /// One product of the whole batch.
  virtual Status run() = 0;
  /// Of the last run.
  virtual BaselineAnswer answer() const = 0;

  virtual int weight_bits() const = 0;
  virtual int activation_bits() const = 0;
  virtual std::int64_t weight_bytes() const = 0;  ///< read by one run
};

/// The names that make_baseline knows:
///   onednn_f32, openblas_f32  floats
///   onednn_int8               unsigned bytes, ready made, times signed bytes; integers out
///   onednn_int8_dynamic       float to float: quantizes the vectors, multiplies, scales back
std::span<const std::string_view> baseline_names();

/// Copies the weights and puts them into the library's format, so that several
/// objects do not share memory. Runs on as many threads as `pool` has. `pool`,
/// `buffers` and the problem's x must outlive the object.
Result<std::unique_ptr<Baseline>> make_baseline(std::string_view name,
                                                const BaselineProblem& problem, ThreadPool& pool,
                                                BufferPool& buffers);

}  // namespace pbatch
