// A bar on the terminal's last line.
#pragma once

#include <chrono>
#include <string>

#include "tools/bench/progress.h"

namespace pbatch::cli {

/// Draws on the standard error when that is a terminal, else nothing; wipes
/// itself at the end, so that an error line stands alone.
class ProgressBar final : public Progress {
 public:
  ProgressBar();
  ~ProgressBar() override;
  void begin(const std::string& what, std::int64_t steps) override;
  void step(std::int64_t steps) override;
  void advance_to(std::int64_t done) { step(done - done_); }

 private:
  void draw();
  bool on_terminal_;
  bool drawn_ = false;
  std::string what_;
  std::int64_t done_ = 0, total_ = 1;
  std::chrono::steady_clock::time_point last_;
};

}  // namespace pbatch::cli
