// What a device found wrong with the numbers that a node was given.
#pragma once

#include <stdint.h>

namespace pbatch {

enum : uint32_t { kFlagNotFinite = 1, kFlagBadIndex = 2, kFlagBadLength = 3 };

}  // namespace pbatch
