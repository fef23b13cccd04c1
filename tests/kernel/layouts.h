// Packed activations from their definition in kernel.h. Knows nothing of a test framework.
#pragma once

#include <cstdint>
#include <cstring>
#include <vector>

#include "tests/kernel/problem.h"

namespace pbatch::testing {

/// The signed byte d of a number spelled in them, the low one first.
inline std::int32_t digit_of(std::int32_t number, int d) {
  for (; d > 0; --d) {
    int low = number % 256;
    if (low > 127) low -= 256;
    if (low < -128) low += 256;
    number = (number - low) / 256;
  }
  return static_cast<std::int8_t>(static_cast<std::uint8_t>(number));
}

/// Where and what: puts the digit, word or bit of every number in its place, one by one.
inline std::vector<std::uint8_t> packed_tables(const std::vector<std::int32_t>& q,
                                               int activation_bits) {
  const std::size_t halves = activation_bits == 32 ? 2 : 1, bytes = activation_bits == 8 ? 2 : 3;
  std::vector<std::uint8_t> out(q.size() / 32 * 2 * halves * bytes * 64);
  for (std::size_t four = 0; four < q.size() / 4; ++four) {
    const std::size_t block = four / 8, upper = four % 2, b = four % 8 / 2;
    for (std::size_t h = 0; h < halves; ++h) {
      for (std::size_t bits = 0; bits < 16; ++bits) {
        std::int32_t sum = 0;
        for (std::size_t j = 0; j < 4; ++j) {
          const std::int32_t value = half_of(q[4 * four + j], static_cast<int>(h), activation_bits);
          sum += (bits & (std::size_t{1} << j)) != 0 ? value : -value;
        }
        for (std::size_t i = 0; i < bytes; ++i) {
          const std::size_t row = (((block * 2 + upper) * halves + h) * bytes + i) * 4 + b;
          out[row * 16 + bits] =
              static_cast<std::uint8_t>(static_cast<std::uint32_t>(sum) >> (8 * i));
        }
      }
    }
  }
  return out;
}

inline std::vector<std::uint8_t> packed_shuffle_tables(const std::vector<std::int32_t>& q,
                                                       int activation_bits) {
  const std::size_t halves = activation_bits == 32 ? 2 : 1, digits = activation_bits == 8 ? 1 : 2;
  std::vector<std::uint8_t> out;
  for (std::size_t block = 0; block < q.size() / 32; ++block) {
    // One byte after the other: every number below is one of the layout's indices.
    for (std::size_t at = 0; at < halves * digits * 256; ++at) {
      const std::size_t bits = at % 16, b = at / 16 % 2, part = at / 32 % 2, k = at / 64 % 2;
      const std::size_t i = at / 128 % 2, digit = at / 256 % digits, half = at / 256 / digits;
      int sum = 512;
      for (std::size_t j = 0; j < 4; ++j) {
        const std::int32_t value = half_of(q[32 * block + 16 * i + 8 * b + 4 * k + j],
                                           static_cast<int>(half), activation_bits);
        if ((bits & (std::size_t{1} << j)) != 0) sum += digit_of(value, static_cast<int>(digit));
      }
      out.push_back(static_cast<std::uint8_t>(part == 0 ? sum % 32 : sum / 32));
    }
  }
  return out;
}

inline std::vector<std::uint8_t> packed(const std::vector<std::int32_t>& q, ActivationLayout layout,
                                        int activation_bits) {
  if (layout == kActivationTables) return packed_tables(q, activation_bits);
  if (layout == kActivationShuffleTables) return packed_shuffle_tables(q, activation_bits);
  const std::size_t blocks = q.size() / 32;
  const int halves = activation_bits == 32 ? 2 : 1;
  const int half_bits = activation_bits == 8 ? 8 : 16;
  const std::size_t digits = static_cast<std::size_t>(half_bits) / 8;
  std::vector<std::uint8_t> out(static_cast<std::size_t>(
      packed_bytes(layout, static_cast<std::int64_t>(blocks), activation_bits)));
  const auto put = [&](std::size_t at, std::int32_t value, std::size_t bytes) {
    std::memcpy(out.data() + at, &value, bytes);  // little-endian
  };
  for (std::size_t i = 0; i < q.size(); ++i) {
    const std::size_t block = i / 32, c = i % 32;
    if (layout == kActivationNumbers) put(4 * i, q[i], 4);
    for (int h = 0; h < halves; ++h) {
      const std::int32_t value = half_of(q[i], h, activation_bits);
      const std::size_t half =
          block * static_cast<std::size_t>(halves) + static_cast<std::size_t>(h);
      for (std::size_t d = 0; d < digits; ++d) {
        const std::int32_t digit = digit_of(value, static_cast<int>(d));
        if (layout == kActivationDigits) put((half * digits + d) * 32 + c, digit, 1);
        if (layout == kActivationDoubledDigits) {
          const std::size_t at = (half * digits + d) * 64 + c / 4 * 8 + c % 4;
          put(at, digit, 1);
          put(at + 4, digit, 1);
        }
      }
      if (layout == kActivationWords) {
        const std::size_t pair = (static_cast<std::size_t>(h) * blocks + block) * 16 + c % 16;
        put(4 * pair + 2 * (c / 16), value, 2);
      }
      if (layout == kActivationPlanes) {
        for (int bit = 0; bit < half_bits; ++bit) {
          const std::size_t word =
              half * static_cast<std::size_t>(half_bits) + static_cast<std::size_t>(bit);
          const int one = (static_cast<std::uint32_t>(value) >> bit) & 1;
          out[4 * word + c / 8] |= static_cast<std::uint8_t>(one << (c % 8));
        }
      }
    }
  }
  return out;
}

}  // namespace pbatch::testing
