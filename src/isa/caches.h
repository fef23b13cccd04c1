// How large this processor's caches are.
#pragma once

#include <cstdint>
#include <string>

namespace pbatch {

/// Bytes. The defaults are Zen 4's: where the system does not tell, and what tables of costs are
/// read with that must choose alike on every machine.
struct CacheSizes {
  std::int64_t l2 = std::int64_t{1} << 20;   ///< of a core
  std::int64_t l3 = std::int64_t{32} << 20;  ///< shared; at most kMostL3PerCpu for each CPU of it
                                             ///< that this system sees
};

/// A virtual machine of a few CPUs is told the size of the whole L3 cache, which its neighbours
/// use too.
inline constexpr std::int64_t kMostL3PerCpu = std::int64_t{16} << 20;

/// From a folder of the form of /sys/devices/system/cpu/cpu0/cache; what is not there, or no
/// number, is left at its default.
CacheSizes read_cache_sizes(const std::string& folder);

/// Those of the first CPU. Read once; safe from many threads.
const CacheSizes& cache_sizes();

}  // namespace pbatch
