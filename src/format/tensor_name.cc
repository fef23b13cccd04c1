#include "format/tensor_name.h"

#include <cstdint>

namespace pbatch {
namespace {

// Bytes of the UTF-8 character at the start of `text`; 0 if there is none.
std::size_t character_length(std::string_view text) {
  const auto byte = [text](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const std::uint8_t first = byte(0);
  if (first < 0x80) return 1;
  const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < length) return 0;
  std::uint32_t point = first & (0x7fu >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
    point = point << 6 | (byte(i) & 0x3fu);
  }
  const std::uint32_t least = length == 4 ? 0x10000 : length == 3 ? 0x800 : 0x80;
  const bool surrogate = point >= 0xd800 && point < 0xe000;
  return point < least || point > 0x10ffff || surrogate ? 0 : length;
}

}  // namespace

std::string printable_utf8(std::string_view name) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  std::string result;
  while (!name.empty()) {
    const std::size_t length = character_length(name);
    const auto first = static_cast<std::uint8_t>(name[0]);
    if (length == 0 || first < 0x20 || first == 0x7f) {
      result += {'%', kDigits[first >> 4], kDigits[first & 15]};
      name.remove_prefix(1);
    } else {
      result += name.substr(0, length);
      name.remove_prefix(length);
    }
  }
  return result;
}

}  // namespace pbatch
