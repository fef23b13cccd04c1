// Model: a pbatch model in memory.
#pragma once

#include <memory>

#include "pbatch/model_bytes.h"

namespace pbatch::python {

/// Never changed once it is made, so that it can be read without the GIL.
struct Model {
  std::shared_ptr<const ModelBytes> bytes;
};

}  // namespace pbatch::python
