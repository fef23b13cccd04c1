// com.microsoft MatMulNBits: a product with a matrix of 2, 4 or 8 bit codes in blocks along K.
#include <cstdint>
#include <optional>

#include "graph/expand/expansion.h"

namespace pbatch {
namespace {

struct Codes {
  std::int64_t k = 0, n = 0, bits = 4, block = 32;
  std::int64_t blocks() const { return (k + block - 1) / block; }
  std::int64_t blob() const { return (block * bits + 7) / 8; }         // bytes of a block
  std::int64_t zero_row() const { return (blocks() * bits + 7) / 8; }  // bytes of a row's zeros
};

std::int64_t unpacked(const std::uint8_t* bytes, std::int64_t i, std::int64_t bits) {
  const std::int64_t bit = i * bits;
  return (bytes[bit / 8] >> (bit % 8)) & ((1 << bits) - 1);
}

Result<Codes> read_codes(Expansion& e) {
  Codes c;
  PBATCH_ASSIGN_OR_RETURN(c.k, e.node().int_attr("K", 0));
  PBATCH_ASSIGN_OR_RETURN(c.n, e.node().int_attr("N", 0));
  PBATCH_ASSIGN_OR_RETURN(c.bits, e.node().int_attr("bits", 4));
  PBATCH_ASSIGN_OR_RETURN(c.block, e.node().int_attr("block_size", 32));
  constexpr std::int64_t kMost = std::int64_t{1} << 28;
  if (c.k < 1 || c.n < 1 || c.k >= kMost || c.n >= kMost || c.block < 1 || c.block > (1 << 16)) {
    return e.malformed("has sizes that cannot be");
  }
  if (c.bits != 2 && c.bits != 4 && c.bits != 8) {
    return e.unsupported("has codes of " + std::to_string(c.bits) + " bits", "use 2, 4 or 8");
  }
  return c;
}

// The zero point of a block, from codes, from floats, or the middle.
class Zeros {
 public:
  static Result<Zeros> read(Expansion& e, const Codes& c) {
    Zeros z;
    z.middle_ = static_cast<float>(1 << (c.bits - 1));
    if (!e.has(3)) return z;
    const Tensor* given = e.constant(3);
    if (given != nullptr && given->dtype() == DType::u8 && given->size() == c.n * c.zero_row()) {
      z.codes_ = given->data<std::uint8_t>();
    } else if (given != nullptr && given->dtype() == DType::f32 &&
               given->size() == c.n * c.blocks()) {
      z.floats_ = given->data<float>();
    } else {
      return e.unsupported("has zero points that are computed or of another size",
                           "quantize the network again");
    }
    return z;
  }

  float at(const Codes& c, std::int64_t row, std::int64_t block) const {
    if (floats_ != nullptr) return floats_[row * c.blocks() + block];
    if (codes_ == nullptr) return middle_;
    return static_cast<float>(unpacked(codes_ + row * c.zero_row(), block, c.bits));
  }

 private:
  float middle_ = 8.0F;
  const std::uint8_t* codes_ = nullptr;
  const float* floats_ = nullptr;
};

}  // namespace

Status expand_matmul_nbits(Expansion& e) {
  PBATCH_RETURN_IF_ERROR(e.expect_inputs(3, 6));
  PBATCH_ASSIGN_OR_RETURN(const Codes c, read_codes(e));
  const Tensor* codes = e.constant(1);
  const Tensor* scales = e.constant(2);
  if (codes == nullptr || codes->dtype() != DType::u8 || scales == nullptr ||
      scales->dtype() != DType::f32) {
    return e.unsupported("has codes or scales that are computed", "quantize the network again");
  }
  if (codes->size() != c.n * c.blocks() * c.blob() || scales->size() != c.n * c.blocks()) {
    return e.malformed("has codes or scales of another size than K and N say");
  }
  if (e.has(4)) return e.unsupported("has a group index", "quantize without reordering");
  PBATCH_ASSIGN_OR_RETURN(const Zeros zeros, Zeros::read(e, c));
  PBATCH_ASSIGN_OR_RETURN(Tensor w, Tensor::create(DType::f32, {c.k, c.n}));
  for (std::int64_t row = 0; row < c.n; ++row) {
    for (std::int64_t k = 0; k < c.k; ++k) {
      const std::int64_t block = k / c.block, b = row * c.blocks() + block;
      const std::uint8_t* const bytes = codes->data<std::uint8_t>() + b * c.blob();
      const auto code = static_cast<float>(unpacked(bytes, k % c.block, c.bits));
      w.mutable_data<float>()[k * c.n + row] =
          (code - zeros.at(c, row, block)) * scales->data<float>()[b];
    }
  }
  const ValueId matrix = e.tensor("weights", std::move(w));
  e.result(0, e.add_if(e.op("MatMul", {e.in(0), matrix}), e.in(5)));
  return Status::ok();
}

}  // namespace pbatch
