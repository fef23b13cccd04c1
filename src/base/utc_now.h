#pragma once

#include <string>

namespace pbatch {

/// "2026-11-24 10:00 UTC"; empty if the clock does not tell. Safe from many threads.
std::string utc_now();

}  // namespace pbatch
