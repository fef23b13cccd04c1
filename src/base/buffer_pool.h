// Reuse of tensor and scratch memory between nodes and runs.
#pragma once

#include <cstddef>
#include <memory>

namespace pbatch {

/// Hands out 64-byte-aligned buffers and takes them back when the last
/// reference goes. Thread-safe. Buffers may outlive the pool.
class BufferPool {
 public:
  BufferPool();
  ~BufferPool();
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;

  /// At least `bytes` bytes, uninitialized; null when memory is short.
  std::shared_ptr<void> take(std::size_t bytes);

 private:
  struct Shelf;
  struct Chunk;
  template <class T>
  struct InChunk;
  std::shared_ptr<Shelf> shelf_;
};

}  // namespace pbatch
