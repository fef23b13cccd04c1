// Planes from the canonical order to that of layout.h, in device memory.
#include "cuda/check.cuh"
#include "cuda/cuda_stream.cuh"
#include "cuda/launch.h"

namespace pbatch::cuda {
namespace {

constexpr int kThreads = 256;

// A thread writes the 4 words of a lane.
__global__ void repack_plane_kernel(const uint8_t* plane, int64_t row_blocks, int64_t col_blocks,
                                    uint32_t* out) {
  const int64_t slabs = slabs_of(col_blocks);
  const int64_t index = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (index >= row_blocks * slabs * kLanes) return;
  const int64_t slab = index / kLanes % slabs, row_block = index / kLanes / slabs;
  const int64_t left = col_blocks - slab * kSlabBlocks;
  const uint8_t* const blocks = plane + (row_block * col_blocks + slab * kSlabBlocks) * 64;
  uint32_t words[4];
  PBATCH_UNROLL
  for (int k = 0; k < 4; ++k) {
    words[k] = weight_word(blocks, left < kSlabBlocks ? static_cast<int>(left) : kSlabBlocks,
                           static_cast<int>(index % kLanes), k);
  }
  reinterpret_cast<uint4*>(out)[index] = make_uint4(words[0], words[1], words[2], words[3]);
}

}  // namespace

Status launch_repack_plane(const std::uint8_t* plane, std::int64_t row_blocks,
                           std::int64_t col_blocks, std::uint32_t* out, Stream stream) {
  const int64_t lanes = row_blocks * slabs_of(col_blocks) * kLanes;
  if (lanes == 0) return Status::ok();
  repack_plane_kernel<<<static_cast<unsigned>((lanes + kThreads - 1) / kThreads), kThreads, 0,
                        cuda_stream(stream)>>>(plane, row_blocks, col_blocks, out);
  return status_of(cudaGetLastError(), "repacking planes");
}

}  // namespace pbatch::cuda
