// IDX files, the format of the MNIST images and labels, plain or gzipped.
#pragma once

#include <string>

#include "pbatch/status.h"
#include "pbatch/tensor.h"
#include "tools/io/byte_source.h"

namespace pbatch {

/// Reads elements of u8, i8, i16, i32, f32 or f64. Trusts nothing, as read_npy.
Result<Tensor> read_idx(const std::string& path);
/// The same, when the 4 bytes 0, 0, type, rank have been read.
Result<Tensor> read_idx_after_magic(ByteSource& source, unsigned type, unsigned rank);

}  // namespace pbatch
