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
#define PBATCH_ISA(name, features, flags, gcc_flags) Isa::name,
#include "isa/isas.inc"
#undef PBATCH_ISA
};

enum class Feature : int {
#define PBATCH_FEATURE(name, ...) name,
#include "isa/features.inc"
#undef PBATCH_FEATURE
};

// The bits by the names that isas.inc gives them.
namespace feature {
constexpr FeatureSet none = 0;
#define PBATCH_FEATURE(name, ...) \
  constexpr FeatureSet name = FeatureSet{1} << static_cast<int>(Feature::name);
#include "isa/features.inc"
#undef PBATCH_FEATURE
}  // namespace feature

#if defined(__x86_64__)
// Bits of XCR0: which registers the operating system saves.
constexpr std::uint32_t kYmmState = 0x06, kZmmState = 0xe6;

struct X86Words {
  std::uint32_t saved_state = 0;
  std::uint32_t leaf7_ebx = 0, leaf7_ecx = 0;
  std::uint32_t leaf7_1_eax = 0;  // subleaf 1
};

// The low half of XCR0. Inline assembly, since the intrinsic needs -mxsave for the whole file.
std::uint32_t enabled_state() {
  std::uint32_t low = 0, high = 0;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low;
}

X86Words read_x86_words() {
  X86Words words;
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  if (__get_cpuid(1, &eax, &ebx, &ecx, &edx) == 0) return words;
  const bool has_xgetbv = (ecx & bit_OSXSAVE) != 0;
  const bool has_avx = (ecx & bit_AVX) != 0;
  if (!has_xgetbv || !has_avx) return words;
  words.saved_state = enabled_state();
  if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) != 0) {
    words.leaf7_ebx = ebx;
    words.leaf7_ecx = ecx;
    const unsigned last_subleaf = eax;
    if (last_subleaf >= 1 && __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) != 0) {
      words.leaf7_1_eax = eax;
    }
  }
  return words;
}

FeatureSet detect_features() {
  const X86Words cpu = read_x86_words();
  FeatureSet found = 0;
#define PBATCH_FEATURE(name, word, bit, state)                                    \
  if ((cpu.saved_state & (state)) == (state) && ((cpu.word >> (bit)) & 1) != 0) { \
    found |= feature::name;                                                       \
  }
#include "isa/features.inc"
#undef PBATCH_FEATURE
  return found;
}
#elif defined(__aarch64__)
bool has_asimddp() {
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

FeatureSet detect_features() {
  FeatureSet found = 0;
#define PBATCH_FEATURE(name, here) \
  if (here) found |= feature::name;
#include "isa/features.inc"
#undef PBATCH_FEATURE
  return found;
}
#else
FeatureSet detect_features() { return 0; }
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
#define PBATCH_ISA(name, features, flags, gcc_flags) \
  case Isa::name:                                    \
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

FeatureSet isa_features(Isa isa) {
  using namespace feature;  // NOLINT(google-build-using-namespace): the names of isas.inc
  switch (isa) {
#define PBATCH_ISA(name, features, flags, gcc_flags) \
  case Isa::name:                                    \
    return features;
#include "isa/isas.inc"
#undef PBATCH_ISA
  }
  return ~FeatureSet{0};
}

FeatureSet cpu_features() {
  static const FeatureSet features = detect_features();
  return features;
}

bool isa_runs_here(Isa isa) { return (isa_features(isa) & ~cpu_features()) == 0; }

Result<IsaChoice> resolve_isa(const char* forced) {
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
    return IsaChoice(*isa);
  }
  Isa best = Isa::generic;
  for (const Isa isa : kIsas) {
    if (isa_runs_here(isa)) best = isa;
  }
  return IsaChoice(best, cpu_features());
}

Result<IsaChoice> select_isa() {
  static const Result<IsaChoice> selected = resolve_isa(std::getenv("PBATCH_ISA"));
  return selected;
}

std::vector<std::string> compiled_isas() {
  std::vector<std::string> names;
  for (const Isa isa : kIsas) names.emplace_back(isa_name(isa));
  return names;
}

Result<std::string> active_isa() {
  PBATCH_ASSIGN_OR_RETURN(const IsaChoice isa, select_isa());
  return std::string(isa_name(isa.best));
}

}  // namespace pbatch
