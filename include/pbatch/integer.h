// What is said of a network in integers (docs/integer.md).
#pragma once

#include <cstdint>
#include <string>

namespace pbatch {

/// The largest sums that any input can make in a product: the L1 norm of its codes, times the
/// greatest code of an input.
struct AccumulatorBound {
  std::string node;
  std::int64_t rows = 0, cols = 0;
  int weight_bits = 0, activation_bits = 0;
  double largest = 0;      ///< of a row, scales of groups among the codes
  double largest_run = 0;  ///< of a run of at most 128 columns of one group, without its scale
  std::int64_t runs = 0, runs_in_16 = 0;  ///< of all rows; those whose sums fit 16 bits
};

/// A file that export_c() makes.
struct SourceFile {
  std::string name, text;
};

}  // namespace pbatch
