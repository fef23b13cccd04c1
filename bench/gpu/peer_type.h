// What the baselines multiply.
#pragma once

#include <cstdint>

namespace pbatch::bench {

enum class PeerType {
  float32,  ///< TF32 off
  tf32,     ///< float32 in memory
  float16,  ///< sums in float32
  int8,     ///< sums in int32, which are the results
};
const char* peer_name(PeerType type);
/// Bytes of a weight, and of an element of a result.
std::int64_t weight_size(PeerType type);
std::int64_t result_size(PeerType type);

}  // namespace pbatch::bench
