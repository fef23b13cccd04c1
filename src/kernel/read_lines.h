// The loops of ReadLinesFn, compiled for each instruction set.
#pragma once

#include <stdint.h>

#include "kernel/ceiling.h"

namespace pbatch {
namespace {

// A register. A wider vector would be taken apart through the stack.
#if defined(__AVX512F__)
const int kRegisterBytes = 64;
#elif defined(__AVX2__)
const int kRegisterBytes = 32;
#else
const int kRegisterBytes = 16;
#endif
typedef uint64_t Register __attribute__((vector_size(kRegisterBytes), may_alias));

// One line of 64 bytes, all of it ORed into `seen`.
inline void read_line(const uint8_t* at, Register& seen) {
  for (int byte = 0; byte < 64; byte += kRegisterBytes) seen |= *(const Register*)(at + byte);
}

// `streams` parts of the memory side by side, prefetched `ahead` lines early (0: not at all).
template <int streams, int ahead>
inline uint64_t read_streams(const uint8_t* from, int64_t lines) {
  const int64_t part = lines / streams;
  Register seen[streams] = {};
  for (int64_t i = 0; i < part; ++i) {
    for (int s = 0; s < streams; ++s) {
      const uint8_t* at = from + (s * part + i) * 64;
      if (ahead > 0) __builtin_prefetch(at + ahead * 64);
      read_line(at, seen[s]);
    }
  }
  for (int64_t i = streams * part; i < lines; ++i) read_line(from + i * 64, seen[0]);
  uint64_t all = 0;
  for (int s = 0; s < streams; ++s) {
    for (int word = 0; word < kRegisterBytes / 8; ++word) all |= seen[s][word];
  }
  return all;
}

inline uint64_t read_lines(int loop, const uint8_t* from, int64_t lines) {
  switch (loop) {
    case 0:
      return read_streams<2, 0>(from, lines);
    case 1:
      return read_streams<4, 16>(from, lines);
    default:
      return read_streams<8, 16>(from, lines);
  }
}

}  // namespace
}  // namespace pbatch
