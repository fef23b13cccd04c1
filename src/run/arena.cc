#include "run/arena.h"

#include <algorithm>
#include <iterator>

namespace pbatch {
namespace {

constexpr std::size_t kAlignment = 64;

// An empty value has a place of its own, too.
std::size_t rounded(std::size_t bytes) {
  return (std::max<std::size_t>(bytes, 1) + kAlignment - 1) / kAlignment * kAlignment;
}

}  // namespace

std::size_t Arena::allocate(std::size_t bytes) {
  const std::size_t size = rounded(bytes);
  auto best = gaps_.end();
  for (auto it = gaps_.begin(); it != gaps_.end(); ++it) {
    if (it->second >= size && (best == gaps_.end() || it->second < best->second)) best = it;
  }
  if (best == gaps_.end()) {
    // A gap at the end grows.
    std::size_t offset = bytes_;
    if (!gaps_.empty()) {
      const auto last = std::prev(gaps_.end());
      if (last->first + last->second == bytes_) {
        offset = last->first;
        gaps_.erase(last);
      }
    }
    bytes_ = offset + size;
    return offset;
  }
  const std::size_t offset = best->first, left = best->second - size;
  gaps_.erase(best);
  if (left > 0) gaps_.emplace(offset + size, left);
  return offset;
}

void Arena::free(std::size_t offset, std::size_t bytes) {
  std::size_t size = rounded(bytes);
  auto next = gaps_.lower_bound(offset);
  if (next != gaps_.end() && offset + size == next->first) {
    size += next->second;
    next = gaps_.erase(next);
  }
  if (next != gaps_.begin()) {
    const auto before = std::prev(next);
    if (before->first + before->second == offset) {
      before->second += size;
      return;
    }
  }
  gaps_.emplace(offset, size);
}

}  // namespace pbatch
