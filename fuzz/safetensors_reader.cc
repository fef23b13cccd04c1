// Bytes become a safetensors file; what is read must be within the file and write again.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "format/safetensors.h"

namespace {

using namespace pbatch;  // NOLINT(google-build-using-namespace)

using Bytes = std::vector<std::uint8_t>;

// In a buffer of its own, so that sanitizers see a read behind its end.
Bytes buffer_of(const std::string& bytes) {
  Bytes buffer(bytes.begin(), bytes.end());
  buffer.shrink_to_fit();
  return buffer;
}

Result<SafetensorsFile> parse(const Bytes& bytes) {
  return SafetensorsFile::parse(bytes, static_cast<std::int64_t>(bytes.size()), "fuzz.safetensors");
}

void check(const Bytes& whole, const SafetensorsFile& file) {
  std::vector<std::pair<std::int64_t, std::string>> order;
  for (const auto& [name, entry] : file.entries()) order.emplace_back(entry.begin, name);
  // Empty tensors share their place with the next one, so they go first.
  std::sort(order.begin(), order.end(), [&](const auto& a, const auto& b) {
    return std::pair(a.first, file.find(a.second)->end) <
           std::pair(b.first, file.find(b.second)->end);
  });
  SafetensorsWriter writer;
  std::string data;
  for (const auto& [begin, name] : order) {
    const SafetensorsEntry& entry = *file.find(name);
    if (!file.holds(entry)) return;
    const auto bytes = std::span(whole).subspan(static_cast<std::size_t>(entry.begin),
                                                static_cast<std::size_t>(entry.end - entry.begin));
    data.append(bytes.begin(), bytes.end());
    writer.add(name, entry.dtype, entry.shape, bytes);
  }
  for (const auto& [key, value] : file.metadata()) writer.set_metadata(key, value);
  const Result<std::string> header = writer.header();
  if (!header) std::abort();
  const Result<SafetensorsFile> again = parse(buffer_of(*header + data));
  if (!again || again->entries().size() != file.entries().size()) std::abort();
  if (again->metadata() != file.metadata()) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Bytes plain(data, data + size);
  if (const Result<SafetensorsFile> file = parse(plain)) check(plain, *file);
  std::uint64_t length = 0;
  for (std::size_t i = 8; i-- > 0;) length = length << 8 | (i < size ? data[i] : 0xff);
  if (length <= size) return 0;

  // The same bytes as header and data with a length that fits, to get past the first check.
  std::size_t json = size;
  while (json > 0 && data[json - 1] != '}') --json;
  Bytes whole(8 + size);
  for (std::size_t i = 0; i < 8; ++i) whole[i] = static_cast<std::uint8_t>(json >> (8 * i));
  std::copy(data, data + size, whole.begin() + 8);
  if (const Result<SafetensorsFile> file = parse(whole)) check(whole, *file);
  return 0;
}
