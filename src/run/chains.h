// Which steps run tile by tile, one after the other, so that what one makes is still in the cache
// when the next reads it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "op/step.h"

namespace pbatch {

/// A step as chains see it. Values are numbers: two that share memory have the same.
struct ChainCandidate {
  std::optional<Tiling> tiling;     ///< none: no member of any chain
  std::vector<std::size_t> inputs;  ///< the values of inputs that are neither absent nor constant
  std::vector<bool> aligned;        ///< for each of `inputs`: Tiling::aligned
  std::size_t output = 0;
};

/// Members of a chain, at most; a run keeps the calls of all.
constexpr std::size_t kMaxChain = 12;

/// Members of a chain are neighbours.
struct Chain {
  std::size_t steps = 1;
  std::int64_t tiles = 0;     ///< of the chain, of as many elements of every member's output
  std::int64_t elements = 0;  ///< in a tile, but for the last
  std::int64_t grain = 1;     ///< tiles that are worth a thread
};

/// A chain for each step, in their order: of one step, or of several of which each reads what one
/// before it makes, in the order of its elements.
std::vector<Chain> find_chains(std::span<const ChainCandidate> steps);

}  // namespace pbatch
