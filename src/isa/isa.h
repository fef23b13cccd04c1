// Instruction sets as a type.
#pragma once

#include <optional>
#include <string_view>

#include "pbatch/status.h"

namespace pbatch {

enum class Isa {
#define PBATCH_ISA(name) name,
#include "isa/isas.inc"
#undef PBATCH_ISA
};

const char* isa_name(Isa isa);
std::optional<Isa> isa_from_name(std::string_view name);
/// Whether this CPU and operating system run it.
bool isa_runs_here(Isa isa);
/// The best that runs here (`forced` null or empty), or the one `forced` names.
Result<Isa> resolve_isa(const char* forced);
/// The best that runs here, or the one PBATCH_ISA names; an error if that one
/// is unknown or does not run here. Reads the environment once, at the first call.
Result<Isa> select_isa();

}  // namespace pbatch
