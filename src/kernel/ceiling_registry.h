// The tables that ceilings.inc grows into.
#pragma once

#include <span>

#include "isa/isa.h"
#include "kernel/ceiling.h"

namespace pbatch {

struct MemoryReader {
  const char* name;
  Isa isa;
  ReadLinesFn run;
};

struct Multiplier {
  const char* name;
  Isa isa;
  const char* instruction;
  MultiplyFn run;
};

/// All of this build, also those this CPU cannot run; slowest first.
std::span<const MemoryReader> all_readers();
std::span<const Multiplier> all_multipliers();

}  // namespace pbatch
