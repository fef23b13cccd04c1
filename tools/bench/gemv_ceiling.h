// What the machine does at most, measured side by side with the products.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "isa/isa.h"
#include "pbatch/status.h"
#include "tools/bench/gemv_contender.h"
#include "tools/bench/timing.h"

namespace pbatch {

struct CeilingContender {
  std::string kind;                  ///< "read", or the instruction that multiplies
  std::int64_t bytes = 0, macs = 0;  ///< of one call
  bool huge_pages = false;           ///< of a read: where the faster buffer lies
  TimedCall call;
};

/// Bytes that a cold read takes in one call.
inline constexpr std::int64_t kColdReadBytes = 20'000'000;

/// Reads `bytes` bytes a call, at least 64, and does nothing with them, on the threads of `lane`:
/// the same ones each time, or, cold, others out of kColdBytes. Of several loops and two sizes of
/// pages it takes what is fastest in a short trial.
Result<CeilingContender> make_read_ceiling(std::int64_t bytes, bool cold, GemvLane& lane);

/// Multiplies in registers alone, as `isa` can; absent where kernel/ceilings.inc has none for it.
std::optional<CeilingContender> make_multiply_ceiling(Isa isa, GemvLane& lane);

}  // namespace pbatch
