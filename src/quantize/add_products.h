// A small product of float matrices whose sums have one order.
#pragma once

#include <cstdint>

namespace pbatch {

/// out[v][k] += a[v][0] * b[0][k], then += a[v][1] * b[1][k] and so on to depth - 1: every sum in
/// this order, each product and sum rounded to float32, whatever the machine. Rows of out, a and b
/// lie ld_out, ld_a and ld_b floats apart.
void add_products(const float* a, std::int64_t ld_a, const float* b, std::int64_t ld_b,
                  std::int64_t vectors, std::int64_t depth, std::int64_t cols, float* out,
                  std::int64_t ld_out);

}  // namespace pbatch
