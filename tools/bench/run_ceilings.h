// How near the steps of a run come to what the machine does at most.
#pragma once

#include <span>

#include "pbatch/session.h"
#include "pbatch/status.h"

namespace pbatch {

struct RunCeilings {
  double read_gbps = 0;       ///< reading as many bytes as the run's weights take, again and again
  double multiply_gmacs = 0;  ///< products of bytes in registers; 0: none known for this ISA

  /// The least time that the ceilings allow for the step's weights or products, over its time; 0
  /// for a step without weights of its own.
  double share_of(const StepTime& step) const;
};

/// Takes about half a second. Zeros where the run has no weights in bit-layers.
Result<RunCeilings> measure_ceilings(std::span<const StepTime> steps, int threads);

}  // namespace pbatch
