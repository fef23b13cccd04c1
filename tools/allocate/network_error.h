// How far a network is from a reference, over several runs.
#pragma once

#include <vector>

#include "pbatch/precision.h"
#include "tools/eval/contender.h"

namespace pbatch {

/// Measures errors on fixed inputs: the norm of the difference over the norm of the reference, of
/// the worst output, over all runs together, as `compare` has it for one run.
class NetworkError {
 public:
  /// Runs the reference. `session` and `sets` must outlive it.
  static Result<NetworkError> create(const Contender& reference, const Session& session,
                                     const InputSets& sets);

  /// Of `session` at this precision. Errors of its runs; NaN where an output has one.
  Result<double> of(const Precision& precision) const;

 private:
  NetworkError(const Session& session, const InputSets& sets) : session_(&session), sets_(&sets) {}
  using Outputs = std::vector<std::vector<Tensor>>;  // [output][run]
  static Result<Outputs> run(const Session& session, const Precision& precision,
                             const InputSets& sets);

  const Session* session_;
  const InputSets* sets_;
  Outputs reference_;
};

}  // namespace pbatch
