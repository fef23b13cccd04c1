// Where the values of a plan lie: in its arena, at places that they share when their lifetimes
// allow, or as tensors of their own; and which steps run tile by tile.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "op/step.h"
#include "run/plan.h"

namespace pbatch {

/// No entry, or no value.
constexpr std::size_t kNever = static_cast<std::size_t>(-1);

/// A value in a plan under way.
struct PlannedValue {
  bool is_tensor = false;               // else it lies in the arena, if its type is known
  std::size_t alias_of = kNever;        // the value whose elements it has
  std::size_t last = kNever;            // entry; kNever for what the program gives back
  std::size_t offset = Plan::kNoPlace;  // in the arena
};
/// What is planned for an entry, until its values have places.
struct PlannedStep {
  StepPlan plan;
  std::size_t packed_group = kNever;
  struct {
    std::size_t first = kNever, last = kNever;
  } chain;  // entries; of one that is in none, kNever
};
/// Steps that share packed vectors.
struct PackedGroup {
  std::size_t value = 0;
  PackedKey key;
  std::size_t first = 0, last = 0, readers = 0, offset = 0;
};

/// Of a tensor of this type.
inline std::size_t bytes_of_type(const TensorType& type) {
  std::size_t bytes = dtype_size(type.dtype);
  for (const std::int64_t d : type.shape) bytes *= static_cast<std::size_t>(d);
  return bytes;
}

/// Gives the entries of `plan` their chains, steps and pointers; those that leave nothing to do in
/// a run go. `values` has one for each of the plan's types, `steps` one for each entry.
Status place_plan(Plan& plan, std::vector<PlannedValue>& values, std::vector<PlannedStep>& steps,
                  std::vector<PackedGroup>& groups);

}  // namespace pbatch
