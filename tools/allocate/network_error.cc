#include "tools/allocate/network_error.h"

#include <utility>

#include "tools/eval/metrics.h"

namespace pbatch {

Result<NetworkError::Outputs> NetworkError::run(const Session& session, const Precision& precision,
                                                const InputSets& sets) {
  Outputs outputs(session.outputs().size());
  for (const std::vector<NamedTensor>& inputs : sets) {
    PBATCH_ASSIGN_OR_RETURN(std::vector<Tensor> made, session.run(inputs, precision));
    for (std::size_t o = 0; o < made.size(); ++o) outputs[o].push_back(std::move(made[o]));
  }
  return outputs;
}

Result<NetworkError> NetworkError::create(const Contender& reference, const Session& session,
                                          const InputSets& sets) {
  NetworkError made(session, sets);
  PBATCH_ASSIGN_OR_RETURN(made.reference_, run(*reference.session, reference.precision, sets));
  return made;
}

Result<double> NetworkError::of(const Precision& precision) const {
  PBATCH_ASSIGN_OR_RETURN(const Outputs outputs, run(*session_, precision, *sets_));
  std::vector<OutputError> errors;
  for (std::size_t o = 0; o < outputs.size(); ++o) {
    PBATCH_ASSIGN_OR_RETURN(OutputError error, output_error(outputs[o], reference_[o]));
    errors.push_back(error);
  }
  return errors[worst_of(errors)].rel_error;
}

}  // namespace pbatch
