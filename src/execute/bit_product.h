// A bit-layer product held open: quantize some vectors, multiply them with some rows, again.
#pragma once

#include <cstdint>
#include <memory>

#include "base/buffer_pool.h"
#include "base/thread_pool.h"
#include "execute/matrix_cache.h"
#include "execute/packed_input.h"
#include "kernel/epilogue.h"
#include "pbatch/status.h"

namespace pbatch {

/// Where a product goes and how it is finished.
struct BitProductOutput {
  float* y = nullptr;  ///< [vectors][rows], rows ldy floats apart
  std::int64_t ldy = 0;
  const float* bias = nullptr;  ///< [rows] or null
  Activation activation = Activation::none;
};

/// The packed vectors and the scratch memory of Y = X W^T for as long as they are needed: one
/// call, or all steps of a sequence. Its results are those that bit_gemm promises.
class BitProduct {
 public:
  /// Memory for `batch` vectors from `buffers`. `matrix` and `buffers` must outlive the product.
  /// Precondition: batch > 0; activation_bits is 8, 16 or 32.
  static Result<BitProduct> create(const PreparedMatrix& matrix, std::int64_t batch,
                                   int activation_bits, BufferPool& buffers);
  /// The same with packed vectors from elsewhere, of the kind key_of() names.
  static Result<BitProduct> create(const PreparedMatrix& matrix, std::int64_t batch,
                                   int activation_bits, BufferPool& buffers, PackedBuffer packed);

  static PackedKey key_of(const PreparedMatrix& matrix, std::int64_t batch, int activation_bits);
  /// How many of `batch` vectors to take at a time, so that they stay in a core's second-level
  /// cache while rows go by, and their accumulators are bounded.
  static std::int64_t chunk_of(const PreparedMatrix& matrix, std::int64_t batch,
                               int activation_bits);

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

  BitProduct(const PreparedMatrix& matrix, std::int64_t batch, int activation_bits,
             BufferPool& buffers, PackedBuffer packed);

  ErrorCode quantize_range(const float* x, std::int64_t ldx, const PackedVectors& to, void* numbers,
                           std::int64_t begin, std::int64_t end) const;
  std::shared_ptr<void> take_numbers() const;
  void run_kernel(int digit, const Part& part) const;
  void finish(const Part& part, const BitProductOutput& out) const;
  float* accumulators(int digit) const;

  const PreparedMatrix* matrix_;
  int activation_bits_;
  BufferPool* buffers_;
  PackedBuffer packed_;
  std::int64_t chunk_;             // vectors that there are accumulators for
  std::int64_t acc_stride_;        // floats of one half
  std::int64_t acc_size_;          // floats of all halves of a vector
  std::shared_ptr<void> acc_;      // [digits][chunk][halves][acc_stride]
  std::shared_ptr<void> numbers_;  // of one vector, for a layout that no quantizer writes
};

}  // namespace pbatch
