#include "tools/io/text_file.h"

#include <charconv>

#include "base/printable.h"
#include "tools/io/byte_source.h"

namespace pbatch {
namespace {

constexpr std::size_t kTextChunk = std::size_t{1} << 20;
constexpr std::size_t kShownLetters = 20;

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

}  // namespace

Result<std::string> read_text_file(const std::string& path) {
  PBATCH_ASSIGN_OR_RETURN(ByteSource source, ByteSource::open(path));
  std::string text;
  for (;;) {
    const std::size_t before = text.size();
    text.resize(before + kTextChunk);
    PBATCH_ASSIGN_OR_RETURN(const std::size_t got,
                            source.read_some(text.data() + before, kTextChunk));
    text.resize(before + got);
    if (got == 0) return text;
  }
}

Status parse_integers(std::string_view text, std::vector<std::int64_t>* out) {
  for (std::size_t at = 0; at < text.size();) {
    if (is_space(text[at])) {
      ++at;
      continue;
    }
    std::size_t end = at;
    while (end < text.size() && !is_space(text[end])) ++end;
    std::int64_t value = 0;
    const auto [stop, error] = std::from_chars(text.data() + at, text.data() + end, value);
    if (error != std::errc{} || stop != text.data() + end) {
      return {ErrorCode::malformed,
              "'" + printable(text.substr(at, std::min(end - at, kShownLetters))) +
                  "' is not an integer of 64 bits",
              "write integers with white space between them"};
    }
    out->push_back(value);
    at = end;
  }
  return Status::ok();
}

}  // namespace pbatch
