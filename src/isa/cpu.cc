#include "isa/cpu.h"

#include <array>
#include <fstream>

namespace pbatch {
namespace {

// The value of a line "key : value"; empty if the line has another key.
std::string value_of(const std::string& line, const std::string& key) {
  if (line.compare(0, key.size(), key) != 0) return {};
  const std::size_t colon = line.find_first_not_of(" \t", key.size());
  if (colon == std::string::npos || line[colon] != ':') return {};
  const std::size_t begin = line.find_first_not_of(" \t", colon + 1);
  return begin == std::string::npos ? std::string() : line.substr(begin);
}

struct Cpu {
  std::string name = "unknown processor", numbers;
};

// Of the first processor: a line without text ends it.
Cpu read_cpu() {
  const std::array<const char*, 6> keys = {"cpu family",      "model",    "stepping",
                                           "CPU implementer", "CPU part", "CPU revision"};
  Cpu cpu;
  std::ifstream info("/proc/cpuinfo");
  std::string line;
  while (std::getline(info, line) && !line.empty()) {
    if (std::string name = value_of(line, "model name"); !name.empty()) cpu.name = std::move(name);
    for (const char* key : keys) {
      const std::string number = value_of(line, key);
      if (!number.empty()) cpu.numbers += (cpu.numbers.empty() ? "" : " ") + number;
    }
  }
  return cpu;
}

}  // namespace

std::string_view cpu_maker() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_is("amd") != 0) return "amd";
#endif
  return {};
}

std::string cpu_name() { return read_cpu().name; }

std::string cpu_identity() {
  const Cpu cpu = read_cpu();
  return cpu.numbers.empty() ? cpu.name : cpu.name + " (" + cpu.numbers + ")";
}

}  // namespace pbatch
