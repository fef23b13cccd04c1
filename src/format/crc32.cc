#include <zlib.h>

#include <algorithm>

#include "format/safetensors.h"

namespace pbatch {

void Crc32::add(std::span<const std::uint8_t> data) {
  while (!data.empty()) {
    const std::size_t chunk = std::min<std::size_t>(data.size(), std::size_t{1} << 30);
    crc_ = static_cast<std::uint32_t>(::crc32(crc_, data.data(), static_cast<uInt>(chunk)));
    data = data.subspan(chunk);
  }
}

std::string Crc32::hex() const {
  static const char* const digits = "0123456789abcdef";
  std::string text;
  for (int shift = 28; shift >= 0; shift -= 4) text += digits[(crc_ >> shift) & 15];
  return text;
}

std::string crc32_hex(std::span<const std::uint8_t> data) {
  Crc32 crc;
  crc.add(data);
  return crc.hex();
}

}  // namespace pbatch
