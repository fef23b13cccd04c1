// How often memory is allocated.
#pragma once

#include <functional>

#include "tests/support/sanitizers.h"

// Sanitizers have allocators of their own.
#if defined(PBATCH_ASAN) || defined(PBATCH_TSAN)
#define PBATCH_COUNTS_ALLOCATIONS 0
#else
#define PBATCH_COUNTS_ALLOCATIONS 1
#endif

namespace pbatch::testing {

/// Calls of operator new in any thread while `work` runs.
long count_allocations(const std::function<void()>& work);

}  // namespace pbatch::testing
