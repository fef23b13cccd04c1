// Memory for tensors and packed weights.
#pragma once

#include <cstddef>
#include <memory>

namespace pbatch {

inline constexpr std::size_t kBufferAlignment = 64;

/// 64-byte-aligned, uninitialized; null when memory is short, or for more than
/// the machine has. From 2 MB on aligned to 2 MB and, where the kernel has them
/// to give, on huge pages. Never throws.
std::shared_ptr<void> allocate_aligned(std::size_t bytes);

}  // namespace pbatch
