#include "tools/bench/read_bandwidth.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <limits>

#include "base/aligned_buffer.h"
#include "base/thread_pool.h"

namespace pbatch {
namespace {

constexpr std::int64_t kLineWords = 8;          // words of a cache line
constexpr std::int64_t kStreams = 4;            // read side by side, as kernels read planes
constexpr std::int64_t kAhead = 128;            // words prefetched in each
constexpr std::int64_t kReadChunk = 256 << 10;  // bytes that a thread takes at once

// Sums that do not depend on each other, so that reading is all that limits. Prefetches may reach
// beyond the words: they never fault.
std::uint64_t sum(const std::uint64_t* words, std::int64_t count) {
  std::uint64_t sums[kLineWords] = {};
  const std::int64_t each = count / kStreams;
  for (std::int64_t i = 0; i + kLineWords <= each; i += kLineWords) {
    for (std::int64_t s = 0; s < kStreams; ++s) {
      const std::uint64_t* const line = words + s * each + i;
      __builtin_prefetch(line + kAhead);
      for (std::int64_t k = 0; k < kLineWords; ++k) sums[k] += line[k];
    }
  }
  std::uint64_t all = 0;
  for (const std::uint64_t one : sums) all += one;
  return all;
}

}  // namespace

Result<double> read_ps_per_byte(int threads, int rounds, long long bytes) {
  const std::int64_t chunks = std::max<std::int64_t>(bytes / kReadChunk, 1);
  const std::shared_ptr<void> memory =
      allocate_aligned(static_cast<std::size_t>(chunks * kReadChunk));
  if (memory == nullptr) {
    return Status(
        ErrorCode::out_of_memory,
        "no memory for the block of " + std::to_string(bytes >> 20) + " MB whose reading is timed",
        "free some memory");
  }
  std::memset(memory.get(), 1, static_cast<std::size_t>(chunks * kReadChunk));
  const auto* const words = static_cast<const std::uint64_t*>(memory.get());
  constexpr std::int64_t kWords = kReadChunk / static_cast<std::int64_t>(sizeof *words);
  ThreadPool pool(threads);
  std::atomic<std::uint64_t> total{0};
  double best = std::numeric_limits<double>::infinity();
  for (int round = 0; round < std::max(rounds, 1); ++round) {
    const auto begin = std::chrono::steady_clock::now();
    pool.parallel_for(chunks, 1, [&](std::int64_t first, std::int64_t last) {
      total += sum(words + first * kWords, (last - first) * kWords);
    });
    const auto end = std::chrono::steady_clock::now();
    best = std::min(best, std::chrono::duration<double, std::pico>(end - begin).count());
  }
  // The sum is used, so it is computed.
  const auto words_read = static_cast<std::uint64_t>(chunks * kWords * std::max(rounds, 1));
  if (total.load() != words_read * 0x0101010101010101U) {
    return Status(ErrorCode::internal, "memory reads back other bytes than were written",
                  "check the machine's memory");
  }
  return best / static_cast<double>(chunks * kReadChunk);
}

}  // namespace pbatch
