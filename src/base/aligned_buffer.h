// Memory for tensors and packed weights.
#pragma once

#include <cstddef>
#include <memory>

namespace pbatch {

inline constexpr std::size_t kBufferAlignment = 64;

/// 64-byte-aligned, uninitialized; null when memory is short, or for more than
/// the machine has. Never throws.
std::shared_ptr<void> allocate_aligned(std::size_t bytes);

}  // namespace pbatch
