#include "kernel/ceiling_registry.h"

#include <array>

namespace pbatch {

#define PBATCH_READER(name, isa) uint64_t name##_run(int loop, const uint8_t* from, int64_t lines);
#define PBATCH_MULTIPLIER(name, isa, instruction) int64_t name##_run(int64_t steps, int32_t* sum);
#include "kernel/ceilings.inc"

namespace {

constexpr MemoryReader kReaders[] = {
#define PBATCH_READER(name, isa) {#name, Isa::isa, &name##_run},
#include "kernel/ceilings.inc"
};

// The last is none, so that the table is never empty.
constexpr Multiplier kMultipliers[] = {
#define PBATCH_MULTIPLIER(name, isa, instruction) {#name, Isa::isa, #instruction, &name##_run},
#include "kernel/ceilings.inc"
    {nullptr, Isa::generic, nullptr, nullptr}};

}  // namespace

std::span<const MemoryReader> all_readers() { return kReaders; }

std::span<const Multiplier> all_multipliers() {
  return {kMultipliers, std::size(kMultipliers) - 1};
}

}  // namespace pbatch
