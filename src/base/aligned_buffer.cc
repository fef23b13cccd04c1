#include "base/aligned_buffer.h"

#include <cstdint>
#include <cstdlib>
#include <new>

namespace pbatch {

std::shared_ptr<void> allocate_aligned(std::size_t bytes) {
  if (bytes > SIZE_MAX - kBufferAlignment) return nullptr;
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
