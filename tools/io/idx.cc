#include "tools/io/idx.h"

#include <cstdint>
#include <optional>

#include "tools/io/array_body.h"

namespace pbatch {
namespace {

std::optional<DType> idx_type(unsigned code) {
  switch (code) {
    case 0x08:
      return DType::u8;
    case 0x09:
      return DType::i8;
    case 0x0B:
      return DType::i16;
    case 0x0C:
      return DType::i32;
    case 0x0D:
      return DType::f32;
    case 0x0E:
      return DType::f64;
    default:
      return std::nullopt;
  }
}

}  // namespace

Result<Tensor> read_idx_after_magic(ByteSource& source, unsigned type, unsigned rank) {
  const std::optional<DType> dtype = idx_type(type);
  if (!dtype) {
    return Status(ErrorCode::malformed,
                  "IDX element type " + std::to_string(type) + " does not exist",
                  "make or fetch the file again")
        .in_file(source.path());
  }
  Shape shape;
  for (unsigned d = 0; d < rank; ++d) {
    unsigned char b[4];
    PBATCH_RETURN_IF_ERROR(source.read(b, sizeof b));
    shape.push_back(std::int64_t{b[0]} << 24 | std::int64_t{b[1]} << 16 | std::int64_t{b[2]} << 8 |
                    std::int64_t{b[3]});
  }
  return read_array_body(source, *dtype, shape, /*big_endian=*/true);
}

Result<Tensor> read_idx(const std::string& path) {
  PBATCH_ASSIGN_OR_RETURN(ByteSource source, ByteSource::open(path));
  unsigned char magic[4];
  PBATCH_RETURN_IF_ERROR(source.read(magic, sizeof magic));
  if (magic[0] != 0 || magic[1] != 0) {
    return Status(ErrorCode::malformed, "it is not an IDX file", "give an IDX file as of MNIST")
        .in_file(path);
  }
  return read_idx_after_magic(source, magic[2], magic[3]);
}

}  // namespace pbatch
