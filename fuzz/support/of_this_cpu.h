// Which entries of the kernels' tables can be fuzzed here.
#pragma once

#include <span>
#include <vector>

#include "isa/isa.h"

namespace pbatch::fuzzing {

/// The entries of a table that this CPU runs; without those for any CPU, if they are what others
/// are compared with.
template <class Entry>
std::vector<Entry> of_this_cpu(std::span<const Entry> table, bool generic_too) {
  std::vector<Entry> entries;
  for (const Entry& entry : table) {
    if (isa_runs_here(entry.isa) && (generic_too || entry.isa != Isa::generic)) {
      entries.push_back(entry);
    }
  }
  return entries;
}

}  // namespace pbatch::fuzzing
