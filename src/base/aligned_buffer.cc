#include "base/aligned_buffer.h"

#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <new>

namespace pbatch {

namespace {

// Linux grants more than it has and kills the process later; refuse that here.
std::size_t physical_memory() {
  static const std::size_t bytes = [] {
    const long pages = sysconf(_SC_PHYS_PAGES);
    const long page = sysconf(_SC_PAGESIZE);
    if (pages <= 0 || page <= 0) return SIZE_MAX / 2;
    return static_cast<std::size_t>(pages) * static_cast<std::size_t>(page);
  }();
  return bytes;
}

}  // namespace

std::shared_ptr<void> allocate_aligned(std::size_t bytes) {
  if (bytes > physical_memory()) return nullptr;
  // aligned_alloc wants a multiple of the alignment, and never zero bytes.
  const std::size_t rounded = (bytes / kBufferAlignment + 1) * kBufferAlignment;
  void* memory = std::aligned_alloc(kBufferAlignment, rounded);
  if (memory == nullptr) return nullptr;
  try {
    return {memory, [](void* p) { std::free(p); }};
  } catch (const std::bad_alloc&) {
    return nullptr;  // the shared_ptr constructor has freed the memory
  }
}

}  // namespace pbatch
