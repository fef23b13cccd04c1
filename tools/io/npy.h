// NumPy's .npy files, versions 1 to 3, plain or gzipped.
#pragma once

#include <string>

#include "pbatch/status.h"
#include "pbatch/tensor.h"
#include "tools/io/byte_source.h"

namespace pbatch {

/// Reads float16/32/64, signed and unsigned integers of 1 to 8 bytes and bool,
/// of either byte order, in C or Fortran order. Trusts nothing: a header that
/// claims more than the file can hold is an error before anything is allocated.
Result<Tensor> read_npy(const std::string& path);
/// The same, when the 6 bytes of magic have been read.
Result<Tensor> read_npy_after_magic(ByteSource& source);

/// The bytes of a version 1 .npy file, C order, little-endian. unsupported for
/// bfloat16, which NumPy does not know.
Result<std::string> encode_npy(const Tensor& tensor);

}  // namespace pbatch
