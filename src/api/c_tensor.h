// Tensors that C hands in.
#pragma once

#include "pbatch/pbatch.h"
#include "pbatch/status.h"
#include "pbatch/tensor.h"

namespace pbatch {

/// A tensor over the caller's memory, or over a copy if that is not aligned for the type. Errors
/// name the input.
Result<Tensor> tensor_of(const pbatch_tensor& given);

}  // namespace pbatch
