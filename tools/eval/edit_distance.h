// How far one sequence is from another.
#pragma once

#include <cstdint>
#include <span>

namespace pbatch {

/// The least number of insertions, deletions and substitutions that turn `a` into `b`
/// (Levenshtein). Time is the product of the lengths.
std::int64_t edit_distance(std::span<const std::int64_t> a, std::span<const std::int64_t> b);

}  // namespace pbatch
