#include "base/buffer_pool.h"

#include <array>
#include <bit>
#include <mutex>
#include <new>
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

}  // namespace

struct BufferPool::Shelf {
  std::mutex mutex;
  std::array<std::vector<std::shared_ptr<void>>, kClasses> idle;
};

BufferPool::BufferPool() : shelf_(std::make_shared<Shelf>()) {}
BufferPool::~BufferPool() = default;

std::shared_ptr<void> BufferPool::take(std::size_t bytes) {
  const std::size_t c = class_of(bytes);
  if (c >= kClasses) return nullptr;
  std::shared_ptr<void> buffer;
  {
    const std::lock_guard lock(shelf_->mutex);
    auto& idle = shelf_->idle[c];
    if (!idle.empty()) {
      buffer = std::move(idle.back());
      idle.pop_back();
    }
  }
  if (buffer == nullptr) buffer = allocate_aligned(class_bytes(c));
  if (buffer == nullptr) return nullptr;
  void* memory = buffer.get();
  try {
    // The deleter puts the buffer back on its shelf, if the pool still lives.
    return {memory, [weak = std::weak_ptr<Shelf>(shelf_), buffer, c](void*) mutable {
              const std::shared_ptr<Shelf> shelf = weak.lock();
              if (shelf == nullptr) return;
              try {
                const std::lock_guard lock(shelf->mutex);
                if (shelf->idle[c].size() < kKeptPerClass) {
                  shelf->idle[c].push_back(std::move(buffer));
                }
              } catch (const std::bad_alloc&) {
                return;  // no room on the shelf: the buffer is freed instead
              }
            }};
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

}  // namespace pbatch
