// Random loops with a time box.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <iostream>

namespace pbatch::testing {

inline constexpr std::uint64_t kSeed = 20030822;

/// True while a random loop shall go on: at least `least` rounds, then until the time is up
/// (a fraction of a second, or PBATCH_TEST_SECONDS).
class TimeBox {
 public:
  explicit TimeBox(int least) : least_(least) {
    const char* text = std::getenv("PBATCH_TEST_SECONDS");
    const double seconds = text != nullptr ? std::atof(text) : 0.3;
    end_ = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  }
  ~TimeBox() { std::cout << rounds_ << " random rounds from seed " << kSeed << "\n"; }
  TimeBox(const TimeBox&) = delete;
  TimeBox& operator=(const TimeBox&) = delete;

  bool next() {
    if (rounds_ >= least_ && std::chrono::steady_clock::now() >= end_) return false;
    ++rounds_;
    return true;
  }

 private:
  int least_;
  int rounds_ = 0;
  std::chrono::time_point<std::chrono::steady_clock, std::chrono::duration<double>> end_;
};

}  // namespace pbatch::testing
