// Runs of some items of a batch at one precision.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "pbatch/session.h"

namespace pbatch {

struct StageRunner {
  const Session& session;
  const std::map<std::string, int>& axes;  ///< as CascadeOptions::batch_axes
  std::int64_t fixed = 0;                  ///< items that a run must take; 0: any number
  std::int64_t most = 0;                   ///< items that a run may take, if not fixed; 0: all

  /// The outputs of items `which` of `inputs`, in that order; where a run must take more, the last
  /// item stands in for those that are missing. `precision` is taken as exact. shape_mismatch where
  /// an output does not have as many items as there were in its run; errors of the runs.
  Result<std::vector<Tensor>> run(std::span<const NamedTensor> inputs,
                                  std::span<const std::int64_t> which, bool are_all,
                                  const Precision& precision) const;

 private:
  Result<std::vector<Tensor>> run_once(std::span<const NamedTensor> inputs,
                                       std::span<const std::int64_t> which, bool are_all,
                                       const Precision& precision) const;
};

}  // namespace pbatch
