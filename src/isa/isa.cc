#include "isa/isa.h"

#include <cstdint>
#include <cstdlib>

#include "pbatch/isa.h"
#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__) && defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#elif defined(__aarch64__) && defined(__APPLE__)
#include <sys/sysctl.h>
#endif

namespace pbatch {
namespace {

constexpr Isa kIsas[] = {
#define PBATCH_ISA(name) Isa::name,
#include "isa/isas.inc"
#undef PBATCH_ISA
};

bool runs_generic() { return true; }

#if defined(__x86_64__)
struct X86Features {
  bool avx_state = false;     // the operating system saves the YMM registers
  bool avx512_state = false;  // and the ZMM and mask registers
  std::uint32_t leaf7_ebx = 0, leaf7_ecx = 0;
  std::uint32_t leaf7_1_eax = 0;  // subleaf 1
};

// The low half of XCR0. Inline assembly, since the intrinsic needs -mxsave for the whole file.
std::uint32_t enabled_state() {
  std::uint32_t low = 0, high = 0;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low;
}

X86Features detect_x86() {
  X86Features f;
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  if (__get_cpuid(1, &eax, &ebx, &ecx, &edx) == 0) return f;
  const bool has_xgetbv = (ecx & bit_OSXSAVE) != 0;
  const bool has_avx = (ecx & bit_AVX) != 0;
  if (!has_xgetbv || !has_avx) return f;
  const std::uint32_t state = enabled_state();
  f.avx_state = (state & 0x06) == 0x06;
  f.avx512_state = (state & 0xe6) == 0xe6;
  if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) != 0) {
    f.leaf7_ebx = ebx;
    f.leaf7_ecx = ecx;
    const unsigned last_subleaf = eax;
    if (last_subleaf >= 1 && __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) != 0) {
      f.leaf7_1_eax = eax;
    }
  }
  return f;
}

const X86Features& x86() {
  static const X86Features features = detect_x86();
  return features;
}

bool runs_avx2() { return x86().avx_state && (x86().leaf7_ebx & bit_AVX2) != 0; }

bool runs_avxvnni() {
  constexpr std::uint32_t kAvxVnni = 1 << 4;
  return runs_avx2() && (x86().leaf7_ecx & bit_GFNI) != 0 && (x86().leaf7_1_eax & kAvxVnni) != 0;
}

bool runs_avx512() {
  constexpr std::uint32_t kEbx =
      bit_AVX2 | bit_AVX512F | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL;
  constexpr std::uint32_t kEcx = bit_AVX512VBMI | bit_AVX512VNNI | bit_AVX512VPOPCNTDQ | bit_GFNI;
  return x86().avx512_state && (x86().leaf7_ebx & kEbx) == kEbx && (x86().leaf7_ecx & kEcx) == kEcx;
}
#endif

#if defined(__aarch64__)
bool runs_neon() { return true; }

bool runs_neon_dot() {
#if defined(__linux__)
  return (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0;
#elif defined(__APPLE__)
  int has_dot = 0;
  std::size_t size = sizeof has_dot;
  return sysctlbyname("hw.optional.arm.FEAT_DotProd", &has_dot, &size, nullptr, 0) == 0 &&
         has_dot != 0;
#else
  return false;
#endif
}
#endif

std::string names_of_runnable() {
  std::string names;
  for (const Isa isa : kIsas) {
    if (!isa_runs_here(isa)) continue;
    if (!names.empty()) names += ", ";
    names += isa_name(isa);
  }
  return names;
}

}  // namespace

const char* isa_name(Isa isa) {
  switch (isa) {
#define PBATCH_ISA(name) \
  case Isa::name:        \
    return #name;
#include "isa/isas.inc"
#undef PBATCH_ISA
  }
  return "unknown";
}

std::optional<Isa> isa_from_name(std::string_view name) {
  for (const Isa isa : kIsas) {
    if (name == isa_name(isa)) return isa;
  }
  return std::nullopt;
}

bool isa_runs_here(Isa isa) {
  switch (isa) {
#define PBATCH_ISA(name) \
  case Isa::name:        \
    return runs_##name();
#include "isa/isas.inc"
#undef PBATCH_ISA
  }
  return false;
}

Result<Isa> resolve_isa(const char* forced) {
  if (forced != nullptr && *forced != '\0') {
    const std::string remedy = "set PBATCH_ISA to one of " + names_of_runnable() + ", or unset it";
    const std::optional<Isa> isa = isa_from_name(forced);
    if (!isa) {
      return Status(ErrorCode::invalid_argument,
                    "PBATCH_ISA names '" + std::string(forced) +
                        "', which is no instruction set of this build",
                    remedy);
    }
    if (!isa_runs_here(*isa)) {
      return Status(ErrorCode::unsupported,
                    "PBATCH_ISA names '" + std::string(forced) + "', which this CPU cannot run",
                    remedy);
    }
    return *isa;
  }
  Isa best = Isa::generic;
  for (const Isa isa : kIsas) {
    if (isa_runs_here(isa)) best = isa;
  }
  return best;
}

Result<Isa> select_isa() {
  static const Result<Isa> selected = resolve_isa(std::getenv("PBATCH_ISA"));
  return selected;
}

std::vector<std::string> compiled_isas() {
  std::vector<std::string> names;
  for (const Isa isa : kIsas) names.emplace_back(isa_name(isa));
  return names;
}

Result<std::string> active_isa() {
  PBATCH_ASSIGN_OR_RETURN(const Isa isa, select_isa());
  return std::string(isa_name(isa));
}

}  // namespace pbatch
