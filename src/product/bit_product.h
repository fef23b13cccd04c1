// A bit-layer product held open: quantize some vectors, multiply them with some rows, again.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/buffer_pool.h"
#include "base/thread_pool.h"
#include "kernel/epilogue.h"
#include "pbatch/status.h"
#include "product/matrix_cache.h"
#include "product/packed_vectors.h"
#include "product/step_timings.h"

namespace pbatch {

/// Where a product goes and how it is finished.
struct BitProductOutput {
  float* y = nullptr;  ///< [vectors][rows], rows ldy floats apart
  std::int64_t ldy = 0;
  const float* bias = nullptr;  ///< [rows] or null
  Activation activation = Activation::none;
  /// If the vectors are affine codes, whose zero this is: what sum_columns() made; else null.
  const float* ones = nullptr;
  float zero = 0;
  /// What the vectors were quantized from, [vectors][cols], rows ldx floats apart; or only the
  /// columns of PreparedMatrix::outliers. Read if the matrix has outliers.
  const float* x = nullptr;
  std::int64_t ldx = 0;
  bool only_outlier_columns = false;
};

/// Y = X W^T in memory of the caller, for one call or all steps of a sequence. Its results are
/// those that bit_gemm promises. Making one costs nothing.
class BitProduct {
 public:
  /// `packed` has the vectors of key_of(), `scratch` scratch_bytes() bytes, 64-byte aligned; both,
  /// the matrix and `buffers` must outlive the product. Precondition: batch > 0; activation_bits is
  /// 8, 16 or 32.
  BitProduct(const PreparedMatrix& matrix, std::int64_t batch, int activation_bits,
             const PackedVectors& packed, void* scratch, BufferPool& buffers);

  /// From now on the times of all parts are added there.
  void time_parts(StepPhases* phases) { phases_ = phases; }

  static std::size_t scratch_bytes(const PreparedMatrix& matrix, std::int64_t batch,
                                   int activation_bits);
  static PackedKey key_of(const PreparedMatrix& matrix, std::int64_t batch, int activation_bits);
  /// How many of `batch` vectors to take at a time, so that they stay in a core's second-level
  /// cache while rows go by, and their accumulators are bounded.
  static std::int64_t chunk_of(const PreparedMatrix& matrix, std::int64_t batch,
                               int activation_bits);

  /// What a vector of ones accumulates: [digits][rows, padded to 16]. Uses the first vector's
  /// memory.
  std::vector<float> sum_columns() const;

  /// The vectors first ... first + count - 1 with all rows, on the threads of `pool` where that
  /// pays; null: on the calling thread.
  void multiply_all(std::int64_t first, std::int64_t count, const BitProductOutput& out,
                    ThreadPool* pool) const;

  /// Whether so many vectors and row blocks are worth the work of another thread.
  bool is_worth_sharing(std::int64_t count, std::int64_t row_blocks) const;

  /// Quantizes x [count][cols], rows ldx floats apart, to be the vectors first ... first + count -
  /// 1. not_finite if x holds a NaN or an infinity. Not while another call is under way.
  Status quantize(const float* x, std::int64_t ldx, std::int64_t first, std::int64_t count,
                  ThreadPool& pool);

  /// Multiplies these vectors with the rows of the row blocks begin ... end - 1, 16 rows each, and
  /// writes these columns of out.y, whose first row belongs to the vector `first`. Takes no
  /// memory. Safe to call from many threads on disjoint row blocks.
  void multiply(std::int64_t first, std::int64_t count, std::int64_t row_block_begin,
                std::int64_t row_block_end, const BitProductOutput& out) const;

 private:
  struct Part;  // of the vectors and rows, as much as the accumulators hold

  ErrorCode quantize_range(const float* x, std::int64_t ldx, const PackedVectors& to, void* numbers,
                           std::int64_t begin, std::int64_t end) const;
  void run_kernel(int digit, const Part& part) const;
  void finish(const Part& part, const BitProductOutput& out) const;
  float* accumulators(int digit) const;

  const PreparedMatrix* matrix_;
  int activation_bits_;
  BufferPool* buffers_;
  PackedVectors packed_;
  std::int64_t chunk_;       // vectors that there are accumulators for
  std::int64_t acc_stride_;  // floats of one half
  std::int64_t acc_size_;    // floats of all halves of a vector
  float* acc_;               // [digits][chunk][halves][acc_stride]
  float* added_;             // [acc_stride]: what outliers add to one vector
  void* numbers_;            // of one vector, for a layout that no quantizer writes
  StepPhases* phases_ = nullptr;
};

/// What products say if they cannot be made.
Status no_product_memory();
Status input_is_not_finite();

}  // namespace pbatch
