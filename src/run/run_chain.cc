// Plan::run_chain: neighbouring steps, a tile of all of them at a time.
#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <optional>
#include <utility>

#include "run/plan.h"
#include "run/plan_frame.h"

namespace pbatch {
namespace {

// What each member took, on all threads together.
using Taken = std::array<std::atomic<std::int64_t>, kMaxChain>;

}  // namespace

Status Plan::run_chain(std::size_t first, Frame& frame, RunContext& context) const {
  const Chain& chain = entries_[first].chain;
  const bool timed = context.timings != nullptr;
  const auto start = std::chrono::steady_clock::now();
  std::array<std::optional<StepCall>, kMaxChain> calls;
  for (std::size_t k = 0; k < chain.steps; ++k) {
    auto call = bind_step(entries_[first + k], frame, context, nullptr);
    if (!call) return call.status().at_node(entries_[first + k].node->name);
    calls[k].emplace(*call);
  }
  Taken taken{};
  FirstError error;
  const auto run_tile = [&](std::int64_t tile) -> Status {
    for (std::size_t k = 0; k < chain.steps; ++k) {
      const Entry& entry = entries_[first + k];
      const std::int64_t begin = tile * entry.tiles;
      const std::int64_t end = std::min(begin + entry.tiles, entry.all_tiles);
      const PhaseTimer timer(timed ? &taken[k] : nullptr);
      if (Status s = entry.step->run_tiles(*calls[k], begin, end); !s) {
        return std::move(s).at_node(entry.node->name);
      }
    }
    return Status::ok();
  };
  context.pool.parallel_for(chain.tiles, chain.grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t tile = begin; tile < end; ++tile) {
      if (Status s = run_tile(tile); !s) return error.set(std::move(s));
    }
  });
  PBATCH_RETURN_IF_ERROR(error.take());
  if (timed) {
    // The time of the whole, shared out as the members took it.
    double all = 0;
    for (std::size_t k = 0; k < chain.steps; ++k) all += static_cast<double>(taken[k]);
    const double us =
        std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count();
    for (std::size_t k = 0; k < chain.steps; ++k) {
      const Entry& entry = entries_[first + k];
      const double part =
          all > 0 ? static_cast<double>(taken[k]) / all : 1.0 / static_cast<double>(chain.steps);
      context.timings->push_back({entry.node, entry.info, us * part});
    }
  }
  return Status::ok();
}

}  // namespace pbatch
