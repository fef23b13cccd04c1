#include "cli/progress_bar.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace pbatch::cli {

ProgressBar::ProgressBar() : on_terminal_(isatty(STDERR_FILENO) == 1) {}

ProgressBar::~ProgressBar() {
  if (drawn_) std::fputs("\r\033[K", stderr);
}

void ProgressBar::begin(const std::string& what, std::int64_t steps) {
  what_ = what;
  done_ = 0;
  total_ = std::max<std::int64_t>(steps, 1);
  if (on_terminal_) draw();
}

void ProgressBar::step(std::int64_t steps) {
  done_ = std::min(done_ + steps, total_);
  const auto now = std::chrono::steady_clock::now();
  if (!on_terminal_ || now - last_ < std::chrono::milliseconds(100)) return;
  last_ = now;
  draw();
}

void ProgressBar::draw() {
  constexpr std::int64_t kWidth = 30;
  const auto filled = static_cast<std::size_t>(kWidth * done_ / total_);
  fmt::print(stderr, "\r\033[K{:<10} [{}{}] {:3}%", what_, std::string(filled, '#'),
             std::string(kWidth - filled, ' '), 100 * done_ / total_);
  std::fflush(stderr);
  drawn_ = true;
}

}  // namespace pbatch::cli
