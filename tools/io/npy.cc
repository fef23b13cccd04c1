#include "tools/io/npy.h"

#include <cstring>
#include <new>

#include "tools/io/array_body.h"
#include "tools/io/npy_header.h"

namespace pbatch {
namespace {

constexpr char kMagic[6] = {'\x93', 'N', 'U', 'M', 'P', 'Y'};
constexpr std::size_t kMaxHeader = 65536;

// Elements that lie with the first dimension fastest, put into C order.
Result<Tensor> from_fortran_order(const Tensor& lying, const Shape& shape) {
  PBATCH_ASSIGN_OR_RETURN(Tensor out, Tensor::create(lying.dtype(), shape));
  const std::size_t size = dtype_size(lying.dtype());
  const auto* from = static_cast<const char*>(lying.raw());
  auto* to = static_cast<char*>(out.mutable_raw());
  std::vector<std::size_t> stride(shape.size(), 1);
  for (std::size_t d = 1; d < shape.size(); ++d) {
    stride[d] = stride[d - 1] * static_cast<std::size_t>(shape[d - 1]);
  }
  Shape index(shape.size(), 0);
  std::size_t source = 0;
  for (std::int64_t i = 0; i < out.size(); ++i) {
    std::memcpy(to + static_cast<std::size_t>(i) * size, from + source * size, size);
    for (std::size_t d = shape.size(); d-- > 0;) {
      source += stride[d];
      if (++index[d] < shape[d]) break;
      source -= stride[d] * static_cast<std::size_t>(shape[d]);
      index[d] = 0;
    }
  }
  return out;
}

}  // namespace

Result<Tensor> read_npy_after_magic(ByteSource& source) {
  unsigned char version[2];
  PBATCH_RETURN_IF_ERROR(source.read(version, sizeof version));
  if (version[0] < 1 || version[0] > 3) {
    return Status(ErrorCode::unsupported,
                  ".npy version " + std::to_string(version[0]) + " is not known",
                  "write it again with numpy.save")
        .in_file(source.path());
  }
  unsigned char length[4] = {};
  PBATCH_RETURN_IF_ERROR(source.read(length, version[0] == 1 ? 2 : 4));
  const std::size_t header_bytes = length[0] | std::size_t{length[1]} << 8 |
                                   std::size_t{length[2]} << 16 | std::size_t{length[3]} << 24;
  if (header_bytes > kMaxHeader) {
    return Status(ErrorCode::malformed, "its .npy header claims to be longer than 64 KiB",
                  "write it again with numpy.save")
        .in_file(source.path());
  }
  std::string text(header_bytes, '\0');
  PBATCH_RETURN_IF_ERROR(source.read(text.data(), text.size()));
  auto header = parse_npy_header(text);
  if (!header) return header.status().in_file(source.path());
  PBATCH_ASSIGN_OR_RETURN(
      Tensor tensor, read_array_body(source, header->dtype, header->shape, header->big_endian));
  if (!header->fortran_order || header->shape.size() < 2) return tensor;
  auto turned = from_fortran_order(tensor, header->shape);
  if (!turned) return turned.status().in_file(source.path());
  return turned;
}

Result<Tensor> read_npy(const std::string& path) {
  PBATCH_ASSIGN_OR_RETURN(ByteSource source, ByteSource::open(path));
  char magic[sizeof kMagic];
  PBATCH_RETURN_IF_ERROR(source.read(magic, sizeof magic));
  if (std::memcmp(magic, kMagic, sizeof kMagic) != 0) {
    return Status(ErrorCode::malformed, "it is not a .npy file", "write it with numpy.save")
        .in_file(path);
  }
  return read_npy_after_magic(source);
}

Result<std::string> encode_npy(const Tensor& tensor) {
  const std::string_view code = npy_type_code(tensor.dtype());
  if (code.empty()) {
    return Status(ErrorCode::unsupported,
                  std::string("NumPy has no type for ") + dtype_name(tensor.dtype()),
                  "choose another output");
  }
  std::string header = "{'descr': '";
  header += dtype_size(tensor.dtype()) == 1 ? '|' : '<';
  header += code;
  header += "', 'fortran_order': False, 'shape': (";
  for (const std::int64_t dim : tensor.shape()) header += std::to_string(dim) + ", ";
  if (tensor.rank() > 1) header.resize(header.size() - 2);
  header += "), }";
  // The elements start at a multiple of 64, as NumPy writes them.
  constexpr std::size_t kPrefix = sizeof kMagic + 4;
  header.append(63 - (kPrefix + header.size()) % 64, ' ');
  header += '\n';
  try {
    std::string out(kMagic, sizeof kMagic);
    out.reserve(kPrefix + header.size() + tensor.bytes());
    out += {'\x01', '\x00', static_cast<char>(header.size() & 0xff),
            static_cast<char>(header.size() >> 8)};
    out += header;
    out.append(static_cast<const char*>(tensor.raw()), tensor.bytes());
    return out;
  } catch (const std::bad_alloc&) {
    return Status(ErrorCode::out_of_memory, "no memory to write the array", "free some memory");
  }
}

}  // namespace pbatch
