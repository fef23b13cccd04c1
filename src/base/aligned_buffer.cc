#include "base/aligned_buffer.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <new>

namespace pbatch {

namespace {

constexpr std::size_t kHugePage = std::size_t{1} << 21;

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
  const std::size_t alignment = bytes < kHugePage ? kBufferAlignment : kHugePage;
  // Never zero bytes; posix_memalign, unlike aligned_alloc, takes sizes that are no multiple of the
  // alignment.
  const std::size_t rounded = (bytes / kBufferAlignment + 1) * kBufferAlignment;
  void* memory = nullptr;
  if (posix_memalign(&memory, alignment, rounded) != 0) return nullptr;
  // Only whole pages, so that no memory is spent; where they are not to be had nothing changes.
  if (alignment == kHugePage) madvise(memory, bytes / kHugePage * kHugePage, MADV_HUGEPAGE);
  try {
    return {memory, [](void* p) { std::free(p); }};
  } catch (const std::bad_alloc&) {
    return nullptr;  // the shared_ptr constructor has freed the memory
  }
}

}  // namespace pbatch
