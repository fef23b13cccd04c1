// Random inputs for a network, with sizes of its free dimensions at which it runs.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tools/eval/contender.h"

namespace pbatch {

/// Inputs with which `trial` runs; `given`: shapes by input; `layers`: of the network, whose sizes
/// are tried too. Floats are normally distributed,
/// integers 0 or 1. *note: a line that says what they are. Optional inputs are left out unless
/// `given` has them.
Result<std::vector<NamedTensor>> random_inputs_that_run(const Contender& trial,
                                                        const std::vector<LayerInfo>& layers,
                                                        std::uint64_t seed,
                                                        const std::map<std::string, Shape>& given,
                                                        std::string* note);

}  // namespace pbatch
