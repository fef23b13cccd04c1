// Instruction sets as a type: each is a set of CPU features.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "pbatch/status.h"

namespace pbatch {

enum class Isa {
#define PBATCH_ISA(name, features, flags, gcc_flags) name,
#include "isa/isas.inc"
#undef PBATCH_ISA
};

/// CPU features as bits, one for each line of features.inc.
using FeatureSet = std::uint64_t;

const char* isa_name(Isa isa);
std::optional<Isa> isa_from_name(std::string_view name);
/// What code compiled for it needs.
FeatureSet isa_features(Isa isa);
/// What this CPU has and its operating system lets programs use.
FeatureSet cpu_features();
/// Whether this CPU and operating system run it.
bool isa_runs_here(Isa isa);

/// What code may be chosen: the instruction set that tables of costs and reports name, and all
/// features that may be used. On a CPU that is more than `best` needs: a CPU with AVX-512 may also
/// have AVX-VNNI, or not.
struct IsaChoice {
  Isa best = Isa::generic;
  FeatureSet features = 0;

  IsaChoice() = default;
  /// That instruction set and those whose features it includes.
  IsaChoice(Isa isa) : best(isa), features(isa_features(isa)) {}  // NOLINT: an ISA is a choice
  IsaChoice(Isa isa, FeatureSet all) : best(isa), features(all) {}
  bool runs(Isa isa) const { return (isa_features(isa) & ~features) == 0; }
};

/// The best that runs here with all features of this CPU (`forced` null or empty), or the one that
/// `forced` names with its features alone. invalid_argument for an unknown name, unsupported for
/// one that does not run here.
Result<IsaChoice> resolve_isa(const char* forced);
/// The same for what PBATCH_ISA names. Reads the environment once, at the first call; thread-safe.
Result<IsaChoice> select_isa();

}  // namespace pbatch
