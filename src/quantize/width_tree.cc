#include "quantize/width_tree.h"

#include <cstddef>

namespace pbatch {
namespace {

constexpr int kMostCodes = 1 << kTreePlanes;

// Place i of width n stands for the code whose n bits are those of i turned round: the places of
// the children of i are then i, i + 2^n, i + 2 * 2^n ..., and the loops over places are vectors.
constexpr int turned(int i, int bits) {
  int u = 0;
  for (int b = 0; b < bits; ++b) u |= (i >> b & 1) << (bits - 1 - b);
  return u;
}

struct Levels {
  float value[kTreePlanes + 1][kMostCodes] = {};
  constexpr Levels() {
    for (int n = 1; n <= kTreePlanes; ++n) {
      for (int i = 0; i < 1 << n; ++i) {
        value[n][i] = static_cast<float>(2 * turned(i, n) - ((1 << n) - 1));
      }
    }
  }
};
constexpr Levels kLevels;

// Four places at once; compilers make vectors of it on every machine.
constexpr int kPlaceLanes = 4;
typedef float PlaceFloats __attribute__((vector_size(sizeof(float) * kPlaceLanes)));
typedef std::int32_t PlaceInts __attribute__((vector_size(sizeof(float) * kPlaceLanes)));

// The costs of the places of one width, and the leaf that is best below each.
struct Front {
  alignas(16) float cost[kMostCodes];
  alignas(16) std::int32_t leaf[kMostCodes];
};

PlaceFloats* floats_at(float* p) { return reinterpret_cast<PlaceFloats*>(p); }

void add_errors(int width, float weight, float target, float half_step, Front* front) {
  const int places = 1 << width;
  const float* const level = kLevels.value[width];
  int i = 0;
  for (; i + kPlaceLanes <= places; i += kPlaceLanes) {
    PlaceFloats values;
    __builtin_memcpy(&values, level + i, sizeof values);
    const PlaceFloats e = target - half_step * values;
    PlaceFloats* const cost = floats_at(front->cost + i);
    *cost += weight * (e * e);
  }
  for (; i < places; ++i) {
    const float e = target - half_step * level[i];
    front->cost[i] += weight * (e * e);
  }
}

// The best child of every place of a width that has `places` of them; the first of equals.
void keep_best(int places, int children, Front* front) {
  for (int c = 1; c < children; ++c) {
    const int from = c * places;
    int i = 0;
    for (; i + kPlaceLanes <= places; i += kPlaceLanes) {
      PlaceFloats* const cost = floats_at(front->cost + i);
      PlaceInts* const leaf = reinterpret_cast<PlaceInts*>(front->leaf + i);
      const PlaceFloats other = *floats_at(front->cost + from + i);
      const PlaceInts other_leaf = *reinterpret_cast<PlaceInts*>(front->leaf + from + i);
      const PlaceInts better = other < *cost;
      *cost = better ? other : *cost;
      *leaf = better ? other_leaf : *leaf;
    }
    for (; i < places; ++i) {
      if (!(front->cost[from + i] < front->cost[i])) continue;
      front->cost[i] = front->cost[from + i];
      front->leaf[i] = front->leaf[from + i];
    }
  }
}

}  // namespace

TreeWidths::TreeWidths(int planes) {
  const int top = planes < kTreePlanes ? planes : kTreePlanes;
  for (int n = 1; n <= top; ++n) {
    if (n == 7 && top == 8) continue;  // its neighbours speak for it
    width[static_cast<std::size_t>(count++)] = n;
  }
}

double importance_of_width(int width) {
  constexpr double kImportance[kTreePlanes + 1] = {0, 1, 1.5, 2.5, 8, 3, 2, 1.5, 1};
  return kImportance[width];
}

WidthTree::WidthTree(const TreeWidths& widths, const double* weight) : widths_(widths) {
  for (int i = 0; i < widths.count; ++i) {
    weight_[static_cast<std::size_t>(i)] = static_cast<float>(weight[i]);
  }
}

int WidthTree::choose(const float* target, const float* half_step) const {
  const int top = widths_.top();
  Front front;
  int leaf = 0;
  do {  // there is a first one, which compilers need to know
    front.cost[leaf] = 0;
    front.leaf[leaf] = leaf;
  } while (++leaf < 1 << top);
  int above = top;
  for (int w = widths_.count; w-- > 0;) {
    const int n = widths_.width[static_cast<std::size_t>(w)];
    keep_best(1 << n, 1 << (above - n), &front);
    add_errors(n, weight_[static_cast<std::size_t>(w)], target[w], half_step[w], &front);
    above = n;
  }
  keep_best(1, 1 << above, &front);
  return turned(front.leaf[0], top);
}

}  // namespace pbatch
