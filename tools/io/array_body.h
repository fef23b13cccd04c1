// The elements that follow an array file's header.
#pragma once

#include "pbatch/status.h"
#include "pbatch/tensor.h"
#include "tools/io/byte_source.h"

namespace pbatch {

/// Reads a whole tensor in C order, then expects the file's end. Checks the
/// claimed size against what the file can hold before it allocates.
Result<Tensor> read_array_body(ByteSource& source, DType type, const Shape& shape, bool big_endian);

}  // namespace pbatch
