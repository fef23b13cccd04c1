// An int8 matrix product on oneDNN: what the bit-layers are measured against.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "pbatch/status.h"

namespace pbatch {

/// Bits of unsigned activations whose products oneDNN adds without saturating:
/// 8 where the CPU has VNNI, else 7.
int int8_activation_bits();

/// Y = X W^T in integers, for one matrix, batch size and thread count. Weights
/// lie in the format that oneDNN picks. Not thread-safe.
class Int8Product {
 public:
  /// `weights` is [rows][cols]; nothing keeps a pointer to it.
  static Result<std::unique_ptr<Int8Product>> create(std::int64_t rows, std::int64_t cols,
                                                     std::int64_t batch, const std::int8_t* weights,
                                                     int threads);
  ~Int8Product();

  std::span<std::uint8_t> x();        ///< [batch][cols], to be filled in
  std::span<const std::int32_t> y();  ///< [batch][rows], after run()
  std::int64_t weight_bytes() const;
  Status run();

 private:
  struct Impl;
  explicit Int8Product(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace pbatch
