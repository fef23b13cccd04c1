// How a product is cut: a pure function of its shape and the device.
#pragma once

#include <cstdint>

namespace pbatch::cuda {

/// What kernels must know of a device.
struct DeviceLimits {
  int capability = 0;                     ///< e.g. 90 for 9.0
  int processors = 0;                     ///< multiprocessors
  std::int64_t shared_per_block = 0;      ///< bytes of shared memory, the most a block may ask for
  std::int64_t shared_per_processor = 0;  ///< bytes that its blocks share
};

struct ProductShape {
  std::int64_t rows = 0, cols = 0;
  int run_blocks = 1;
  int weight_bits = 1, activation_bits = 8;
  int batch = 1;  ///< to kMaxBatch; gemm: any
};

enum class Method {
  bits,   ///< mma on bits; packs activations for bits
  bytes,  ///< mma on bytes; packs activations for bytes
  gemm,   ///< the same, for batches of any size: a warp takes 64 digits of vectors
};

struct ProductPlan {
  Method method = Method::bits;
  int warps = 1;                  ///< of a block
  int splits = 1;                 ///< blocks for the columns of a row block; gemm: for its vectors
  std::int64_t shared_bytes = 0;  ///< dynamic
  std::int64_t term_bytes = 0;    ///< of global memory for ProductArgs::terms; 0: none
  std::int64_t arrivals = 0;      ///< counters of ProductArgs::arrivals; 0: none
};

/// Bytes of shared memory that a plan leaves to a block's kernel and to the driver: they have 16
/// and up to 1024, and blocks are given multiples of 128.
inline constexpr std::int64_t kReservedShared = 1024 + 128;

/// Whether the processor multiplies bits: sm_75 to sm_90.
bool has_bit_unit(const DeviceLimits& device);

/// More than kMaxBatch vectors: gemm. Else, of bits, if there is a unit for them, and bytes the one
/// with fewer instructions for a slab: bytes pay for making bytes of the planes once, bits pay for
/// every vector.
Method choose_method(const ProductShape& shape, const DeviceLimits& device);

/// Precondition: the shape is one that the kernels take, and the device is one of sm_75 or later.
ProductPlan plan_product(const ProductShape& shape, Method method, const DeviceLimits& device);

}  // namespace pbatch::cuda
