// The header of a .npy file: a Python dict literal of three keys.
#pragma once

#include <string>
#include <string_view>

#include "pbatch/status.h"
#include "pbatch/tensor.h"

namespace pbatch {

struct NpyHeader {
  DType dtype = DType::f32;
  bool big_endian = false;
  bool fortran_order = false;
  Shape shape;
};

/// Parses e.g. "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }".
Result<NpyHeader> parse_npy_header(std::string_view text);

/// NumPy's code of a type without the byte order, e.g. "f4"; empty if it has none.
std::string_view npy_type_code(DType type);

}  // namespace pbatch
