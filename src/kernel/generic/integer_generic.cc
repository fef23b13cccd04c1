// Tiles by loops over 16 rows, which compilers make vectors of.
#include "kernel/integer_tiles.h"

namespace pbatch {
namespace {

template <int F>
struct Loops {
  struct Reg {
    int32_t row[PB_TILE_ROWS];
  };
  static constexpr bool kOffset = false;
  static constexpr int kRows = PB_TILE_ROWS, kVectors = 1, kUnits = 1, kBatchUnits = 1;

  static Reg zero() { return {}; }

  template <int NU, int NV>
  static inline void sums(const TileRun<NU, NV>& run, Reg made[NV][NU]) {
    constexpr int kFields = 8 / F, kMask = (1 << F) - 1;
    Reg s = {};
    const uint8_t* tile = run.codes[0];
    const auto* x = reinterpret_cast<const int16_t*>(run.x[0]);
    for (int32_t b = 0; b < run.blocks; ++b, tile += run.block_bytes) {
      for (int i = 0; i < F; ++i) {
        for (int k = 0; k < kFields; ++k, x += 4) {
          const uint8_t* const from = tile + 64 * i;
          for (int r = 0; r < kRows; ++r) {
            s.row[r] += (from[4 * r] >> F * k & kMask) * x[0] +
                        (from[4 * r + 1] >> F * k & kMask) * x[2] +
                        (from[4 * r + 2] >> F * k & kMask) * x[1] +
                        (from[4 * r + 3] >> F * k & kMask) * x[3];
          }
        }
      }
    }
    made[0][0] = s;
  }

  static Reg twice_less(Reg s, int32_t less) {
    for (int32_t& r : s.row) {
      r = static_cast<int32_t>(2 * static_cast<uint32_t>(r) - static_cast<uint32_t>(less));
    }
    return s;
  }
  static Reg scales(const uint8_t* from) {
    Reg q;
    for (int r = 0; r < kRows; ++r) q.row[r] = from[r];
    return q;
  }
  static Reg add_product(Reg acc, const Reg& s, const Reg& q) {
    for (int r = 0; r < kRows; ++r) acc.row[r] += s.row[r] * q.row[r];
    return acc;
  }
  static void add_wide(int64_t* to, const Reg& s, const Reg& q) {
    for (int r = 0; r < kRows; ++r) to[r] += static_cast<int64_t>(s.row[r]) * q.row[r];
  }
  static void add_wide(int64_t* to, const Reg& s) {
    for (int r = 0; r < kRows; ++r) to[r] += s.row[r];
  }
  static int64_t column_bytes(const pb_product*) { return 2; }
  static void finish(const pb_product* p, int32_t row, const int64_t* wide, int32_t* y) {
    for (int r = 0; r < kRows; ++r) y[r] = pb_result(p, row + r, wide[r]);
  }
};

void multiply_rows(const pb_product* p, const void* packed, int32_t vectors, int32_t begin,
                   int32_t end, int32_t* y) {
  if (p->tiles == nullptr) return pb_rows_by_codes(p, packed, vectors, begin, end, y);
  switch (p->bits) {
    case 1:
      return multiply_vectors<Loops<1>>(p, packed, vectors, begin, end, y);
    case 2:
      return multiply_vectors<Loops<2>>(p, packed, vectors, begin, end, y);
    case 4:
      return multiply_vectors<Loops<4>>(p, packed, vectors, begin, end, y);
    default:
      return multiply_vectors<Loops<8>>(p, packed, vectors, begin, end, y);
  }
}

void pack_vector(const pb_product* p, const int32_t* x, void* packed) {
  p->tiles == nullptr ? pb_pack(p, x, packed) : pack_pairs(p, x, packed);
}

constexpr pb_multiplier kMultiplier = {1, pack_vector, multiply_rows, nullptr, nullptr};

}  // namespace

extern const IntegerFns integer_generic;
const IntegerFns integer_generic = integer_fns({&kMultiplier, pb_units});

}  // namespace pbatch
