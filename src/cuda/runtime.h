// All that the rest of the program asks of CUDA. Built without CUDA (without_cuda.cc), every call
// says so with ErrorCode::unsupported; nothing here needs a driver to be loaded or linked with.
//
// A thread works with the device that it has opened last. Launches return when the work is queued;
// errors of earlier work may come out of any later call. Calls are safe from many threads.
#pragma once

#include <cstdint>

#include "cuda/product_args.h"
#include "cuda/product_plan.h"
#include "cuda/quantize_vector.h"
#include "pbatch/status.h"

struct CUstream_st;

namespace pbatch::cuda {

/// A cudaStream_t; null is the default stream.
using Stream = ::CUstream_st*;

/// Makes device `index` this thread's. unsupported: there is no driver, no such device, or it is
/// older than compute capability 7.5.
Result<DeviceLimits> open_device(int index);

/// Device memory, aligned to 256 bytes. out_of_memory: it tells how much was asked for and is free.
Result<void*> allocate(std::int64_t bytes);
/// Null is allowed. What still uses the memory ends first.
void release(void* memory);

/// Between the host and the device, or to zeros; the first two return when it is done.
Status copy_to_device(void* to, const void* from, std::int64_t bytes);
Status copy_to_host(void* to, const void* from, std::int64_t bytes);
Status clear(void* memory, std::int64_t bytes, Stream stream);
/// Waits for the stream's work and returns its error, if any.
Status synchronize(Stream stream);

/// Rewrites a plane, in device memory, from the canonical order (repack.h): `plane` [row_blocks]
/// [col_blocks][64] bytes, `out` plane_words() words.
Status launch_repack_plane(const std::uint8_t* plane, std::int64_t row_blocks,
                           std::int64_t col_blocks, std::uint32_t* out, Stream stream);
/// Quantizes and packs for the method.
Status launch_quantize(const QuantizeArgs& args, Method method, Stream stream);
/// Multiplies, with a plan made for the shape of `args` and this device.
Status launch_product(const ProductArgs& args, const ProductPlan& plan, Stream stream);

}  // namespace pbatch::cuda
