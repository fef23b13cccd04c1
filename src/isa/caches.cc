#include "isa/caches.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <optional>

namespace pbatch {
namespace {

std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

// "1024K", "32M"
std::optional<std::int64_t> bytes_of(const std::string& text) {
  std::int64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || number <= 0 || number >= std::int64_t{1} << 32) return std::nullopt;
  const std::string unit(rest, end);
  if (unit.empty()) return number;
  if (unit == "K") return number << 10;
  if (unit == "M") return number << 20;
  return std::nullopt;
}

// CPUs in a list like "0-3,8"; 1 for anything else.
std::int64_t count_cpus(const std::string& list) {
  std::int64_t count = 0;
  const char *at = list.data(), *const end = list.data() + list.size();
  while (at < end) {
    std::int64_t first = 0;
    auto parsed = std::from_chars(at, end, first);
    if (parsed.ec != std::errc()) break;
    std::int64_t last = first;
    if (parsed.ptr < end && *parsed.ptr == '-') {
      parsed = std::from_chars(parsed.ptr + 1, end, last);
      if (parsed.ec != std::errc()) break;
    }
    count += std::clamp<std::int64_t>(last - first + 1, 1, 1 << 20);
    at = parsed.ptr + 1;  // behind the comma
  }
  return std::max<std::int64_t>(count, 1);
}

}  // namespace

CacheSizes read_cache_sizes(const std::string& folder) {
  CacheSizes sizes;
  for (int index = 0; index < 8; ++index) {
    const std::string cache = folder + "/index" + std::to_string(index);
    const std::string level = first_line(cache + "/level");
    const std::optional<std::int64_t> bytes = bytes_of(first_line(cache + "/size"));
    if (!bytes || first_line(cache + "/type") == "Instruction") continue;
    if (level == "2") sizes.l2 = *bytes;
    if (level == "3") {
      sizes.l3 =
          std::min(*bytes, kMostL3PerCpu * count_cpus(first_line(cache + "/shared_cpu_list")));
    }
  }
  return sizes;
}

const CacheSizes& cache_sizes() {
  static const CacheSizes sizes = read_cache_sizes("/sys/devices/system/cpu/cpu0/cache");
  return sizes;
}

}  // namespace pbatch
