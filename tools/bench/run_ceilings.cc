#include "tools/bench/run_ceilings.h"

#include <algorithm>
#include <vector>

#include "isa/isa.h"
#include "tools/bench/gemv_ceiling.h"
#include "tools/bench/timing.h"

namespace pbatch {

double RunCeilings::share_of(const StepTime& step) const {
  if (step.weight_bytes == 0 || step.us <= 0) return 0;
  // A gigabyte a second is a thousand bytes a microsecond.
  const double reading =
      read_gbps > 0 ? static_cast<double>(step.weight_bytes) / (read_gbps * 1e3) : 0;
  const double multiplying = multiply_gmacs > 0 ? step.macs / (multiply_gmacs * 1e3) : 0;
  return std::max(reading, multiplying) / step.us;
}

Result<RunCeilings> measure_ceilings(std::span<const StepTime> steps, int threads) {
  RunCeilings ceilings;
  std::int64_t bytes = 0;
  for (const StepTime& step : steps) bytes += step.weight_bytes;
  if (bytes == 0) return ceilings;
  PBATCH_ASSIGN_OR_RETURN(const IsaChoice isa, select_isa());
  GemvLane lane(threads);
  std::vector<CeilingContender> made;
  PBATCH_ASSIGN_OR_RETURN(CeilingContender read, make_read_ceiling(bytes, /*cold=*/false, lane));
  made.push_back(std::move(read));
  if (auto multiply = make_multiply_ceiling(isa.best, lane)) made.push_back(std::move(*multiply));
  std::vector<TimedCall> calls;
  for (const CeilingContender& c : made) calls.push_back(c.call);
  TimingOptions options;
  options.seconds = 0.2;
  Progress silent;
  PBATCH_ASSIGN_OR_RETURN(const std::vector<Timing> timings,
                          time_interleaved(calls, options, silent));
  ceilings.read_gbps = static_cast<double>(made[0].bytes) / timings[0].median_us / 1e3;
  if (made.size() > 1) {
    ceilings.multiply_gmacs = static_cast<double>(made[1].macs) / timings[1].median_us / 1e3;
  }
  return ceilings;
}

}  // namespace pbatch
