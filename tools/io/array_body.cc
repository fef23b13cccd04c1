#include "tools/io/array_body.h"

#include <algorithm>
#include <cstddef>

namespace pbatch {

Result<Tensor> read_array_body(ByteSource& source, DType type, const Shape& shape,
                               bool big_endian) {
  auto count = checked_element_count(shape, dtype_size(type));
  if (!count) {
    return Status(ErrorCode::malformed, "its header claims too much: " + count.status().message(),
                  "make or fetch the file again")
        .in_file(source.path());
  }
  const std::size_t size = dtype_size(type);
  if (*count > source.most_bytes() / static_cast<std::int64_t>(size)) {
    return Status(ErrorCode::malformed,
                  "its header claims shape " + shape_to_string(shape) + " of " + dtype_name(type) +
                      ", more than the file can hold",
                  "make or fetch the file again")
        .in_file(source.path());
  }
  auto tensor = Tensor::create(type, shape);
  if (!tensor) return tensor.status().in_file(source.path());
  PBATCH_RETURN_IF_ERROR(source.read(tensor->mutable_raw(), tensor->bytes()));
  PBATCH_RETURN_IF_ERROR(source.expect_end());
  auto* bytes = static_cast<std::byte*>(tensor->mutable_raw());
  if (big_endian && size > 1) {
    for (std::size_t at = 0; at < tensor->bytes(); at += size) {
      std::reverse(bytes + at, bytes + at + size);
    }
  }
  if (type == DType::boolean) {
    for (std::size_t at = 0; at < tensor->bytes(); ++at) {
      bytes[at] = bytes[at] == std::byte{0} ? std::byte{0} : std::byte{1};
    }
  }
  return tensor;
}

}  // namespace pbatch
