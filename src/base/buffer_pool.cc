#include "base/buffer_pool.h"

#include <array>
#include <bit>
#include <cstddef>
#include <memory>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

#include "base/aligned_buffer.h"

namespace pbatch {
namespace {

// Sizes are rounded up to one of four steps per power of two, so that at most a
// fifth is wasted and networks with changing shapes still find their buffers.
constexpr std::size_t kSmallest = 256;
constexpr std::size_t kStepsPerDoubling = 4;
constexpr std::size_t kClasses = 4 * 40;  // up to 256 * 2^40 bytes
constexpr std::size_t kKeptPerClass = 8;  // more idle buffers than this are freed

std::size_t class_bytes(std::size_t c) {
  const std::size_t base = kSmallest << (c / kStepsPerDoubling);
  return base + base / kStepsPerDoubling * (c % kStepsPerDoubling);
}

std::size_t class_of(std::size_t bytes) {
  if (bytes <= kSmallest) return 0;
  const auto doubling = static_cast<std::size_t>(std::bit_width(bytes / kSmallest)) - 1;
  std::size_t c = doubling * kStepsPerDoubling;
  while (c < kClasses && class_bytes(c) < bytes) ++c;
  return c;
}

// Room for the control block of a shared_ptr that holds a deleter and an allocator of one pointer.
constexpr std::size_t kControlBytes = 64;

}  // namespace

// A buffer, and the control block of the pointer that is handed out: taking one that was given back
// asks the system for nothing.
struct BufferPool::Chunk {
  std::shared_ptr<void> memory;
  std::size_t size_class = 0;
  std::shared_ptr<Shelf> shelf;  // while the buffer is out
  alignas(std::max_align_t) std::byte control[kControlBytes];
};

struct BufferPool::Shelf {
  std::mutex mutex;
  bool closed = false;  // the pool is gone
  std::array<std::vector<std::unique_ptr<Chunk>>, kClasses> idle;

  std::unique_ptr<Chunk> find(std::size_t c) {
    const std::lock_guard lock(mutex);
    if (idle[c].empty()) return nullptr;
    std::unique_ptr<Chunk> chunk = std::move(idle[c].back());
    idle[c].pop_back();
    return chunk;
  }

  // Keeps the chunk or frees it.
  void put_back(std::unique_ptr<Chunk> chunk) {
    const std::lock_guard lock(mutex);
    auto& shelf = idle[chunk->size_class];
    if (!closed && shelf.size() < kKeptPerClass) shelf.push_back(std::move(chunk));
  }
};

// Gives the control block its place in the chunk; when the block goes, so does the buffer.
template <class T>
struct BufferPool::InChunk {
  using value_type = T;
  Chunk* chunk;

  explicit InChunk(Chunk* c) : chunk(c) {}
  template <class U>
  InChunk(const InChunk<U>& other) : chunk(other.chunk) {}  // NOLINT: as allocators convert

  T* allocate(std::size_t) {
    static_assert(sizeof(T) <= kControlBytes);
    return reinterpret_cast<T*>(chunk->control);
  }
  void deallocate(T*, std::size_t) {
    const std::shared_ptr<Shelf> shelf = std::move(chunk->shelf);
    shelf->put_back(std::unique_ptr<Chunk>(chunk));
  }
};

BufferPool::BufferPool() : shelf_(std::make_shared<Shelf>()) {
  for (auto& idle : shelf_->idle) idle.reserve(kKeptPerClass);  // so that none fails to come back
}

BufferPool::~BufferPool() {
  const std::lock_guard lock(shelf_->mutex);
  shelf_->closed = true;
  for (auto& idle : shelf_->idle) idle.clear();
}

std::shared_ptr<void> BufferPool::take(std::size_t bytes) {
  const std::size_t c = class_of(bytes);
  if (c >= kClasses) return nullptr;
  std::unique_ptr<Chunk> chunk = shelf_->find(c);
  if (chunk == nullptr) {
    chunk.reset(new (std::nothrow) Chunk);
    if (chunk == nullptr) return nullptr;
    chunk->memory = allocate_aligned(class_bytes(c));
    if (chunk->memory == nullptr) return nullptr;
    chunk->size_class = c;
  }
  chunk->shelf = shelf_;
  Chunk* const out = chunk.release();
  return {out->memory.get(), [](void*) {}, InChunk<void*>(out)};
}

}  // namespace pbatch
