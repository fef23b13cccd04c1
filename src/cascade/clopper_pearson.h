// The exact confidence bound of a share.
#pragma once

#include <cstdint>

namespace pbatch {

/// The upper Clopper-Pearson bound: the share p of which `hits` or fewer among `items` come with a
/// chance of 1 - confidence (Clopper and Pearson, Biometrika 26, 1934). 1 if all hit. Precondition:
/// 0 <= hits <= items, items above 0, confidence in (0, 1).
double clopper_pearson_upper(std::int64_t hits, std::int64_t items, double confidence);

}  // namespace pbatch
