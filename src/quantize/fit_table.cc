#include "quantize/fit_table.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace pbatch {
namespace {

constexpr int kFitRounds = 6;

struct Entry {
  int code = 0;
  double scale[3] = {};
  double sum[3] = {}, weight[3] = {};
};

double cost_of(const Entry& entry, const WantedScales& w, int narrow) {
  double cost = 0;
  for (int i = 0; i < narrow; ++i) {
    const double by = entry.scale[i] - w.target[i].scale;
    cost += w.target[i].weight * by * by;
  }
  return cost;
}

void improve(const std::vector<const WantedScales*>& members, int narrow,
             std::vector<Entry>* entries) {
  for (Entry& e : *entries) {
    for (int i = 0; i < narrow; ++i) e.sum[i] = e.weight[i] = 0;
  }
  for (const WantedScales* const w : members) {
    Entry* best = nullptr;
    double least = INFINITY;
    for (Entry& e : *entries) {
      const double cost = cost_of(e, *w, narrow);
      if (cost < least) {
        least = cost;
        best = &e;
      }
    }
    if (best == nullptr) continue;
    for (int i = 0; i < narrow; ++i) {
      best->sum[i] += static_cast<double>(w->target[i].weight) * w->target[i].scale;
      best->weight[i] += w->target[i].weight;
    }
  }
  for (Entry& e : *entries) {
    for (int i = 0; i < narrow; ++i) {
      if (e.weight[i] > 0) e.scale[i] = e.sum[i] / e.weight[i];
    }
  }
}

}  // namespace

std::vector<std::uint8_t> levels_of(const ScaleTable& table) {
  std::vector<std::uint8_t> level(256, 0);
  for (int code = 1; code < 256; ++code) {
    // The step, from 4 planes on; else the widest scale only says whether the entry is used.
    const float last = table.of(table.rows, code);
    level[static_cast<std::size_t>(code)] =
        table.rows > 3 ? static_cast<std::uint8_t>(last) : static_cast<std::uint8_t>(last > 0);
  }
  return level;
}

void fit_table(const std::vector<WantedScales>& wanted, ScaleTable* table) {
  const std::vector<std::uint8_t> levels = levels_of(*table);
  const int narrow = table->narrow();
  for (int level = 1; level < 256; ++level) {
    std::vector<Entry> entries;
    for (int code = 1; code < 256; ++code) {
      if (levels[static_cast<std::size_t>(code)] != level) continue;
      Entry e;
      e.code = code;
      for (int i = 0; i < narrow; ++i) e.scale[i] = table->of(i + 1, code);
      entries.push_back(e);
    }
    std::vector<const WantedScales*> members;
    for (const WantedScales& w : wanted) {
      if (w.entry != 0 && levels[w.entry] == level) members.push_back(&w);
    }
    if (entries.empty() || members.empty()) continue;
    for (int round = 0; round < kFitRounds; ++round) improve(members, narrow, &entries);
    for (const Entry& e : entries) {
      for (int i = 0; i < narrow; ++i) {
        table->scale[static_cast<std::size_t>(i * 256 + e.code)] =
            static_cast<std::uint8_t>(std::clamp(std::nearbyint(e.scale[i]), 1.0, 255.0));
      }
    }
  }
}

}  // namespace pbatch
