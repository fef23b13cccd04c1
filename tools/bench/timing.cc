#include "tools/bench/timing.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <thread>

namespace pbatch {
namespace {

// The pause before a turn, longer than the threads of OpenMP and OpenBLAS spin, and a turn long
// enough to be worth it.
constexpr auto kPause = std::chrono::milliseconds(150);
constexpr double kTurnAfterPauseUs = 100000;
constexpr std::int64_t kMaxCallsPerTurn = 10000;
constexpr std::int64_t kMaxRounds = 1000;

struct TimedContender {
  const TimedCall* call;
  std::int64_t calls = 0;
  std::int64_t per_turn = 1;
  bool after_pause = false;
  std::vector<double> us;
};

Result<double> time_once(TimedContender& c) {
  const auto begin = std::chrono::steady_clock::now();
  PBATCH_RETURN_IF_ERROR((*c.call)(c.calls++));
  const auto end = std::chrono::steady_clock::now();
  return std::chrono::duration<double, std::micro>(end - begin).count();
}

}  // namespace

Result<std::vector<Timing>> time_interleaved(std::span<const TimedCall> contenders,
                                             const TimingOptions& options, Progress& progress) {
  const auto leaves_awake = [&](std::size_t i) {
    return i < options.leaves_awake.size() && options.leaves_awake[i];
  };
  std::vector<TimedContender> all;
  double round_us = 0;
  for (const TimedCall& call : contenders) {
    TimedContender c{&call, 0, 1, false, {}};
    c.after_pause = leaves_awake((all.size() + contenders.size() - 1) % contenders.size());
    const double turn_us = c.after_pause ? kTurnAfterPauseUs : 1e6 * options.turn_seconds;
    if (c.after_pause) std::this_thread::sleep_for(kPause);
    PBATCH_RETURN_IF_ERROR((*c.call)(c.calls++));  // first use prepares; not a sample
    PBATCH_ASSIGN_OR_RETURN(const double us, time_once(c));
    c.per_turn = std::clamp(static_cast<std::int64_t>(turn_us / std::max(us, 0.01)),
                            std::int64_t{1}, kMaxCallsPerTurn);
    round_us += us * static_cast<double>(c.per_turn);
    all.push_back(std::move(c));
  }
  const double budget_us = options.seconds * 1e6 * static_cast<double>(all.size());
  const auto rounds =
      std::clamp(static_cast<std::int64_t>(budget_us / std::max(round_us, 1.0)),
                 static_cast<std::int64_t>(std::max(options.min_rounds, 1)), kMaxRounds);
  progress.begin("timing", rounds);
  for (std::int64_t round = 0; round < rounds; ++round) {
    for (TimedContender& c : all) {
      if (c.after_pause) std::this_thread::sleep_for(kPause);
      PBATCH_RETURN_IF_ERROR((*c.call)(c.calls++));
      for (std::int64_t i = 0; i < c.per_turn; ++i) {
        PBATCH_ASSIGN_OR_RETURN(const double us, time_once(c));
        c.us.push_back(us);
      }
    }
    progress.step();
  }
  std::vector<Timing> timings;
  for (TimedContender& c : all) {
    std::sort(c.us.begin(), c.us.end());
    const std::size_t n = c.us.size();
    timings.push_back(
        {c.us[0], (c.us[(n - 1) / 2] + c.us[n / 2]) / 2, static_cast<std::int64_t>(n)});
  }
  return timings;
}

}  // namespace pbatch
