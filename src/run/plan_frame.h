// The memory of one run of a plan.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "run/plan.h"

namespace pbatch {

struct Plan::Frame {
  std::vector<const void*> pointers;
  std::vector<Tensor> tensors;  // per value: of inputs, outputs and operators that are not planned
  std::shared_ptr<void> arena;
  std::byte* base = nullptr;          // that pointers were set for
  std::vector<const Tensor*> inputs;  // of one operator
  std::vector<Tensor> outputs;

  void* at(std::size_t offset) const { return offset == kNoPlace ? nullptr : base + offset; }
};

}  // namespace pbatch
