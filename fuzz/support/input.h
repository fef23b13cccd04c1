// The bytes of one execution, as numbers. Knows nothing of what is fuzzed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

namespace pbatch::fuzzing {

/// Reads the input over and over, so that few bytes fill large arrays.
class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : data_(data), size_(size) {}

  std::uint8_t byte() {
    if (size_ == 0) return 0;
    if (at_ == size_) at_ = 0;
    return data_[at_++];
  }
  std::uint32_t word() {
    std::uint32_t word = 0;
    for (int i = 0; i < 4; ++i) word = (word << 8) | byte();
    return word;
  }
  /// 0 to n - 1, n > 0.
  std::int64_t below(std::int64_t n) {
    const std::int64_t number = n <= 256 ? byte() : byte() << 8 | byte();
    return number % n;
  }
  /// One of the elements.
  template <class Span>
  const auto& one_of(const Span& span) {
    return span[static_cast<std::size_t>(below(static_cast<std::int64_t>(span.size())))];
  }

  /// Floats of any bits, NaN and infinities among them, or of magnitudes near each other.
  std::vector<float> floats(std::int64_t count) {
    std::vector<float> values(static_cast<std::size_t>(count));
    const std::uint8_t kind = byte();
    const float unit = kind % 4 == 1 ? 0x1p-31F : 0x1p-28F;
    for (float& value : values) {
      const std::uint32_t bits = word();
      if (kind % 2 == 0) {
        std::memcpy(&value, &bits, sizeof value);
      } else {
        value = static_cast<float>(static_cast<std::int32_t>(bits)) * unit;
      }
    }
    return values;
  }

 private:
  const std::uint8_t* data_;
  std::size_t size_;
  std::size_t at_ = 0;
};

}  // namespace pbatch::fuzzing
