// How often memory is allocated.
#pragma once

#include <functional>

// Sanitizers have allocators of their own.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define PBATCH_COUNTS_ALLOCATIONS 0
#else
#define PBATCH_COUNTS_ALLOCATIONS 1
#endif

namespace pbatch::testing {

/// Calls of operator new in any thread while `work` runs.
long count_allocations(const std::function<void()>& work);

}  // namespace pbatch::testing
