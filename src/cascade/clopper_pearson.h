// The exact confidence bound of a share.
#pragma once

#include <cstdint>

namespace pbatch {

/// The regularized incomplete beta function I_x(a, b), by its continued fraction (DLMF 8.17.22).
/// Precondition: a and b above 0, x from 0 to 1.
double incomplete_beta(double a, double b, double x);

/// The upper Clopper-Pearson bound: the share p of which `hits` or fewer among `items` come with a
/// chance of 1 - confidence, the x with I_x(hits + 1, items - hits) = confidence (Clopper and
/// Pearson, Biometrika 26, 1934). 1 if all hit. Precondition: 0 <= hits <= items, items above 0,
/// confidence in (0, 1).
double clopper_pearson_upper(std::int64_t hits, std::int64_t items, double confidence);

}  // namespace pbatch
