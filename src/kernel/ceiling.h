// What the machine does at most: reading with nothing else to do, and multiplying what is in
// registers. `pbatch bench` sets products beside it. Kernel files may include this.
#pragma once

#include <stdint.h>

namespace pbatch {

enum { kReadLoops = 3 };

/// The OR of all 64-bit words of `lines` 64-byte lines, by one of kReadLoops loops: which of them
/// is the fastest depends on the processor and on where the lines are.
typedef uint64_t (*ReadLinesFn)(int loop, const uint8_t* from, int64_t lines);

/// Multiplies and adds as fast as it can, `steps` times. Leaves one of the sums in `sum`, so that
/// the work cannot be left out, and returns how many products of bytes were added.
typedef int64_t (*MultiplyFn)(int64_t steps, int32_t* sum);

}  // namespace pbatch
