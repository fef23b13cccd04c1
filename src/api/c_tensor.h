// Tensors that C hands in.
#pragma once

#include <span>
#include <vector>

#include "pbatch/pbatch.h"
#include "pbatch/session.h"
#include "pbatch/status.h"
#include "pbatch/tensor.h"

namespace pbatch {

/// A tensor over the caller's memory, or over a copy if that is not aligned for the type. Errors
/// name the input.
Result<Tensor> tensor_of(const pbatch_tensor& given);
/// The same for all inputs of a run.
Result<std::vector<NamedTensor>> tensors_of(std::span<const pbatch_tensor> given);

/// Results of a run of `session` on `inputs`, to be handed out: none shares memory of an input, as
/// what an Identity gives does.
Result<pbatch_outputs*> outputs_of(const Session& session, std::span<const Tensor> results,
                                   std::span<const pbatch_tensor> inputs);

}  // namespace pbatch
