#include "tools/bench/openblas_core.h"

#include <cblas.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string_view>

namespace pbatch {

const char* better_openblas_core() {
#if defined(__x86_64__)
  // What it falls back to, all without AVX2.
  constexpr std::array<std::string_view, 7> old_cores{
      "Prescott", "Core2", "Penryn", "Dunnington", "Nehalem", "Sandybridge", "Atom"};
  if (std::getenv("OPENBLAS_CORETYPE") != nullptr) return nullptr;
  const std::string_view core = openblas_get_corename();
  if (std::find(old_cores.begin(), old_cores.end(), core) == old_cores.end()) return nullptr;
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")) {
    return "SkylakeX";
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return "Haswell";
#endif
  return nullptr;
}

}  // namespace pbatch
