// Bytes become floats; what a set of functions of vectors or of recurrent cells of this CPU makes
// of them must be the bits of the generic set.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "fuzz/support/input.h"
#include "fuzz/support/of_this_cpu.h"
#include "kernel/registry.h"

namespace {

using namespace pbatch;  // NOLINT(google-build-using-namespace)
using pbatch::fuzzing::Input;
using pbatch::fuzzing::of_this_cpu;

using Floats = std::vector<float>;
constexpr std::int64_t kTileStride = 16;  // of vectors side by side

template <class Number>
void must_equal(const std::vector<Number>& actual, const std::vector<Number>& expected) {
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const bool same = std::memcmp(&actual[i], &expected[i], sizeof(Number)) == 0;
    // One NaN is as good as another.
    if (!same && (actual[i] == actual[i] || expected[i] == expected[i])) std::abort();
  }
}

// One function of a set, by its number, on vectors of `count`, 16 of them side by side in `x`.
struct Call {
  std::int64_t which, count;
  int vectors, log;
  float alpha, beta;
  Floats x;
  double mean;
};

Call read_call(Input& in) {
  Call c = {};
  c.which = in.below(kFunctionsOfOne + 6);
  c.count = 1 + in.below(80);
  c.vectors = static_cast<int>(1 + in.below(16));
  c.log = static_cast<int>(in.below(2));
  const Floats params = in.floats(3);
  c.alpha = params[0];
  c.beta = params[1];
  c.mean = params[2];
  c.x =
      in.floats(c.which == kFunctionsOfOne ? (c.count - 1) * kTileStride + c.vectors : 2 * c.count);
  return c;
}

// What the call makes; sums are one number.
std::vector<double> run(const VectorFns& fns, const Call& c) {
  const float* const x = c.x.data();
  Floats y(c.x);
  switch (c.which - kFunctionsOfOne) {
    case 0:
      fns.softmax_columns(c.count, kTileStride, c.vectors, c.log, x, y.data());
      break;
    case 1:
      fns.softmax_row(c.count, c.log, x, y.data());
      break;
    case 2:
      return {fns.sum(c.count, x)};
    case 3:
      return {fns.squares(c.count, x, c.mean)};
    case 4:
      fns.max_into(c.count, x + c.count, y.data());
      break;
    case 5:
      fns.add_into(c.count, x + c.count, y.data());
      break;
    default:
      fns.apply(static_cast<ElementFunction>(c.which), 2 * c.count, x, c.alpha, c.beta, y.data());
  }
  return {y.begin(), y.end()};
}

void compare_vectors(Input& in) {
  static const auto others = of_this_cpu(all_vectors(), false);
  if (others.empty()) return;
  const VectorFunctions& set = in.one_of(others);
  const Call call = read_call(in);
  must_equal(run(*set.fns, call), run(*all_vectors()[0].fns, call));
}

// All that a cell may read or write.
struct Cell {
  CellKind kind;
  std::int64_t tiles;
  bool has_r_bias, has_peephole, couples_forget;
  float clip;
  Floats x, r, r_bias, peephole, h, c, update, reset_h;

  explicit Cell(Input& in) {
    kind = static_cast<CellKind>(in.below(kCellKinds));
    tiles = 1 + in.below(3);
    const std::uint8_t flags = in.byte();
    has_r_bias = (flags & 1) != 0 || kind == kCellGru;
    has_peephole = (flags & 2) != 0;
    couples_forget = (flags & 4) != 0;
    clip = (flags & 8) != 0 ? static_cast<float>(in.byte()) : __builtin_inff();
    const std::int64_t units = tiles * kTileUnits;
    for (Floats* rows : {&x, &r, &peephole}) *rows = in.floats(4 * units);
    for (Floats* one : {&r_bias, &h, &c, &update, &reset_h}) *one = in.floats(units);
  }

  void run(const RecurrentCells& cells, std::int64_t cut) {
    CellArgs a = {};
    a.x = x.data();
    a.r = r.data();
    a.r_bias = has_r_bias ? r_bias.data() : nullptr;
    a.peephole = has_peephole ? peephole.data() : nullptr;
    a.peephole_stride = tiles * kTileUnits;
    a.clip = clip;
    a.couple_forget = couples_forget ? 1 : 0;
    a.h = h.data();
    a.c = c.data();
    a.update = update.data();
    a.reset_h = reset_h.data();
    cells.run(kind, &a, 0, cut);
    cells.run(kind, &a, cut, tiles);
  }
};

void compare_cells(Input& in) {
  static const auto others = of_this_cpu(all_cells(), false);
  if (others.empty()) return;
  const RecurrentCells& cells = in.one_of(others);
  Cell expected(in);
  Cell actual = expected;
  expected.run(all_cells()[0], 0);
  actual.run(cells, in.below(expected.tiles + 1));
  for (const auto member : {&Cell::h, &Cell::c, &Cell::update, &Cell::reset_h}) {
    must_equal(actual.*member, expected.*member);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input in(data, size);
  if (in.below(4) != 0) {
    compare_vectors(in);
  } else {
    compare_cells(in);
  }
  return 0;
}
