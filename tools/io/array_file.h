// An array in either file format, told apart by content.
#pragma once

#include <string>

#include "pbatch/status.h"
#include "pbatch/tensor.h"

namespace pbatch {

struct ArrayFile {
  Tensor tensor;
  bool idx = false;  ///< from an IDX file, whose u8 elements are pixels
};

/// Reads .npy or IDX, plain or gzipped.
Result<ArrayFile> read_array(const std::string& path);

}  // namespace pbatch
