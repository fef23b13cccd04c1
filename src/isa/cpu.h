// Which processor this is.
#pragma once

#include <string>
#include <string_view>

namespace pbatch {

/// The processor's name as people know it, e.g. "AMD EPYC 9654"; "unknown processor" where the
/// system does not tell.
std::string cpu_name();

/// The name and the numbers that tell apart processors of one name, as virtual machines show them:
/// "Intel(R) Xeon(R) Processor (6 207 2)". One line.
std::string cpu_identity();

/// Who made it, as the names of src/cost/maker_costs have it: "amd"; empty for all others.
std::string_view cpu_maker();

}  // namespace pbatch
