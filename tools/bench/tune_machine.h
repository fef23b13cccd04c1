// Tuning as a command does it: a table is measured, kept where sessions find it, and compared with
// the one before.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tools/bench/tune_kernels.h"

namespace pbatch {

class MachineTuner {
 public:
  /// Finds where the table goes, and makes the folder; before long work.
  static Result<MachineTuner> create();

  /// The file that the table goes to, and the table in use before: its origin. A damaged one is
  /// about to be replaced and counts as built in.
  const std::string& path() const { return path_; }
  const std::string& origin_before() const { return origin_before_; }

  struct Tuned {
    KernelCosts costs;
    std::vector<ChangedChoice> changes;
  };
  /// Measures and writes the file, whole or not at all.
  Result<Tuned> tune(const TuneOptions& options, const std::string& date, Progress& progress) const;

 private:
  IsaChoice isa_;
  std::string path_, origin_before_;
  std::shared_ptr<const KernelCosts> before_;
};

}  // namespace pbatch
