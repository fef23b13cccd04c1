#include "tools/eval/contender.h"

namespace pbatch {

Result<std::vector<Cost>> measure_costs(std::span<const Contender> contenders,
                                        std::span<const TimedCall> calls, double items_per_call,
                                        const TimingOptions& options, Progress& progress) {
  TimingOptions timing = options;
  for (const Contender& c : contenders) timing.leaves_awake.push_back(c.session->threads() > 1);
  PBATCH_ASSIGN_OR_RETURN(const std::vector<Timing> timings,
                          time_interleaved(calls, timing, progress));
  std::vector<Cost> costs;
  for (std::size_t i = 0; i < contenders.size(); ++i) {
    Cost cost;
    cost.latency_us = timings[i].median_us / items_per_call;
    cost.speedup_vs_f32 = timings[0].median_us / timings[i].median_us;
    PBATCH_ASSIGN_OR_RETURN(cost.weight_bytes,
                            contenders[i].session->weight_bytes(contenders[i].precision));
    costs.push_back(cost);
  }
  return costs;
}

Result<std::vector<Cost>> measure_costs(std::span<const Contender> contenders,
                                        const InputSets& inputs, std::int64_t items_per_set,
                                        const TimingOptions& options, Progress& progress) {
  std::vector<TimedCall> calls;
  for (const Contender& c : contenders) {
    calls.emplace_back([&c, &inputs](std::int64_t i) -> Status {
      const auto& set = inputs[static_cast<std::size_t>(i) % inputs.size()];
      return c.session->run(set, c.precision).status();
    });
  }
  return measure_costs(contenders, calls, static_cast<double>(items_per_set), options, progress);
}

}  // namespace pbatch
