#include <zlib.h>

#include <algorithm>

#include "format/safetensors.h"

namespace pbatch {

std::string crc32_hex(std::span<const std::uint8_t> data) {
  uLong crc = ::crc32(0, nullptr, 0);
  while (!data.empty()) {
    const std::size_t chunk = std::min<std::size_t>(data.size(), std::size_t{1} << 30);
    crc = ::crc32(crc, data.data(), static_cast<uInt>(chunk));
    data = data.subspan(chunk);
  }
  static const char* const digits = "0123456789abcdef";
  std::string text;
  for (int shift = 28; shift >= 0; shift -= 4) text += digits[(crc >> shift) & 15];
  return text;
}

}  // namespace pbatch
