// How often memory is allocated.
#pragma once

#include <functional>

namespace pbatch::testing {

/// Calls of operator new in any thread while `work` runs.
long count_allocations(const std::function<void()>& work);

}  // namespace pbatch::testing
