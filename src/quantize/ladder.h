// The steps that a matrix may use.
#pragma once

#include <array>
#include <vector>

namespace pbatch {

/// Ascending levels among 1..255, at most `max_levels`, the last one the highest
/// step asked for. mass[t] is the weight of the groups whose greatest magnitude
/// needs a step of at least t; each takes the lowest level that is enough, and
/// its noise grows with the square of that level. The levels chosen make the
/// sum least. Empty if there is no mass.
std::vector<int> fit_ladder(const std::array<double, 256>& mass, int max_levels);

}  // namespace pbatch
