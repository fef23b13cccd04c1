#include "tools/bench/gemv_ceiling.h"

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <memory>
#include <vector>

#include "base/aligned_buffer.h"
#include "kernel/ceiling_registry.h"

namespace pbatch {
namespace {

constexpr std::int64_t kLineBytes = 64;
constexpr int kTrials = 30;
constexpr std::int64_t kMultiplySteps = 2000;

// Memory that the kernel may not put on huge pages.
std::shared_ptr<void> allocate_small_pages(std::size_t bytes) {
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return nullptr;
  madvise(memory, bytes, MADV_NOHUGEPAGE);
  return {memory, [bytes](void* p) { munmap(p, bytes); }};
}

struct LineReader {
  std::shared_ptr<void> memory;
  bool huge_pages;
  std::int64_t lines, parts;  // lines of a call; parts of the memory, taken in turn
  ReadLinesFn read_lines;
  int loop;
  GemvLane* lane;
  std::shared_ptr<std::atomic<std::uint64_t>> sink =
      std::make_shared<std::atomic<std::uint64_t>>(0);  // else the loads could go

  Status read(std::int64_t i) const {
    const auto* from =
        static_cast<const std::uint8_t*>(memory.get()) + i % parts * lines * kLineBytes;
    lane->pool.parallel_for(lines, 1, [&](std::int64_t begin, std::int64_t end) {
      sink->fetch_or(read_lines(loop, from + begin * kLineBytes, end - begin),
                     std::memory_order_relaxed);
    });
    return Status::ok();
  }
};

double time_read_us(const LineReader& reader, std::int64_t i) {
  const auto begin = std::chrono::steady_clock::now();
  (void)reader.read(i);
  return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begin)
      .count();
}

// The widest that this CPU runs: what the memory does is no matter of the instruction set in use.
ReadLinesFn best_reader() {
  ReadLinesFn best = all_readers()[0].run;
  for (const MemoryReader& reader : all_readers()) {
    if (isa_runs_here(reader.isa)) best = reader.run;
  }
  return best;
}

}  // namespace

Result<CeilingContender> make_read_ceiling(std::int64_t bytes, bool cold, GemvLane& lane) {
  const std::int64_t lines = std::max<std::int64_t>(bytes / kLineBytes, 1);
  const std::int64_t parts =
      cold ? std::max<std::int64_t>(kColdBytes / (lines * kLineBytes), 1) : 1;
  const auto size = static_cast<std::size_t>(lines * kLineBytes * parts);
  std::vector<LineReader> readers;
  for (const bool huge_pages : {true, false}) {
    const std::shared_ptr<void> memory =
        huge_pages ? allocate_aligned(size) : allocate_small_pages(size);
    if (memory == nullptr) {
      return Status(ErrorCode::out_of_memory, "no memory to measure how fast it is read",
                    cold ? "leave --cold out" : "use smaller matrices");
    }
    std::memset(memory.get(), 1, size);
    for (int loop = 0; loop < kReadLoops; ++loop) {
      readers.push_back({memory, huge_pages, lines, parts, best_reader(), loop, &lane});
    }
  }
  std::vector<double> fastest(readers.size(), 1e300);
  std::int64_t call = 0;
  for (int trial = 0; trial < kTrials; ++trial) {
    for (std::size_t r = 0; r < readers.size(); ++r) {
      fastest[r] = std::min(fastest[r], time_read_us(readers[r], call++));
    }
  }
  const auto best = std::min_element(fastest.begin(), fastest.end()) - fastest.begin();
  const LineReader reader = readers[static_cast<std::size_t>(best)];
  return CeilingContender{"read", lines * kLineBytes, 0, reader.huge_pages,
                          [reader](std::int64_t i) { return reader.read(i); }};
}

std::optional<CeilingContender> make_multiply_ceiling(Isa isa, GemvLane& lane) {
  for (const Multiplier& multiplier : all_multipliers()) {
    if (multiplier.isa != isa) continue;
    const std::int64_t tasks = 4 * lane.pool.threads();
    const MultiplyFn multiply = multiplier.run;
    std::int32_t sum = 0;
    CeilingContender ceiling{
        multiplier.instruction, 0, tasks * multiply(kMultiplySteps, &sum), false, {}};
    ceiling.call = [&lane, tasks, multiply](std::int64_t) {
      lane.pool.parallel_for(tasks, 1, [multiply](std::int64_t begin, std::int64_t end) {
        std::int32_t left = 0;
        for (; begin < end; ++begin) multiply(kMultiplySteps, &left);
      });
      return Status::ok();
    };
    return ceiling;
  }
  return std::nullopt;
}

}  // namespace pbatch
