#include "quantize/scale_codebook.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace pbatch {
namespace {

constexpr int kMaxEntries = 255;  // and the one for zeros
constexpr int kLloydRounds = 4;
// What a relative increase of the noise counts at widths 1, 2 and 3, at the
// stored width if that is one of them, and at wider ones. Narrow widths gain most
// from a good entry; wide ones have decibels to spare.
constexpr double kNarrowImportance[kNarrowWidths] = {12, 10, 3};
constexpr double kNarrowPlanesImportance = 14;
constexpr double kWideImportance = 1;

}  // namespace

// Learns the entries from the sample.
class ScaleCodebook::Trainer {
 public:
  Trainer(ScaleCodebook& book, const GroupSample& sample) : book_(book), sample_(sample) {
    measure();
    weigh_widths();
    seed_entries();
    for (int round = 0; round < kLloydRounds; ++round) improve();
    for (Entry& e : book_.entries_) {
      for (float& q : e.narrow) q = std::clamp(std::nearbyint(q), 1.0f, 255.0f);
    }
  }

 private:
  struct Group {
    int first_level, own_level;
    std::size_t stats;  ///< index of the first candidate's in stats_
    int candidates;
    double energy;  ///< sum of x * x
  };

  void measure() {
    for (std::int64_t i = 0; i < sample_.count(); ++i) {
      const float* x = sample_.x.data() + sample_.begin[static_cast<std::size_t>(i)];
      const std::int64_t n = sample_.begin[static_cast<std::size_t>(i) + 1] -
                             sample_.begin[static_cast<std::size_t>(i)];
      float greatest = 0;
      double energy = 0;
      for (std::int64_t c = 0; c < n; ++c) {
        greatest = std::max(greatest, std::abs(x[c]));
        energy += static_cast<double>(x[c]) * x[c];
      }
      const Candidates range = book_.candidates(greatest);
      const auto own = std::lower_bound(book_.ladder_.begin(), book_.ladder_.end() - 1, greatest);
      groups_.push_back({range.first, static_cast<int>(own - book_.ladder_.begin()), stats_.size(),
                         range.last - range.first + 1, energy});
      for (int l = range.first; l <= range.last; ++l) {
        stats_.push_back(measure_step(x, n, step_of(l), book_.widths_));
      }
    }
  }

  float step_of(int level) const {
    return static_cast<float>(book_.ladder_[static_cast<std::size_t>(level)]);
  }
  const StepStats& own_stats(const Group& g) const {
    return stats_[g.stats + static_cast<std::size_t>(g.own_level - g.first_level)];
  }

  // One over the noise that free scales would leave, so that widths count alike.
  void weigh_widths() {
    double narrow[kNarrowWidths] = {}, wide[4] = {}, energy = 0;
    for (std::size_t i = 0; i < groups_.size(); ++i) {
      const StepStats& s = own_stats(groups_[i]);
      const double weight = sample_.weight[i];
      energy += weight * groups_[i].energy;
      for (int w = 0; w < book_.widths_.narrow; ++w) {
        const double xb = s.xb[w];
        narrow[w] += weight * std::max(0.0, groups_[i].energy - xb * xb / s.bb[w]);
      }
      for (int w = 0; w < book_.widths_.wide_count; ++w) wide[w] += weight * s.noise[w];
    }
    // No more than a code of that width can be expected to reach: weights that
    // some step tells exactly must not make one width count infinitely.
    const auto at_least = [energy](double noise, int width) {
      return std::max(noise, energy * std::ldexp(1e-2, -2 * width)) + 1e-300;
    };
    for (int w = 0; w < book_.widths_.narrow; ++w) {
      const double importance =
          w + 1 == book_.widths_.planes ? kNarrowPlanesImportance : kNarrowImportance[w];
      book_.narrow_weight_[w] = importance * energy / at_least(narrow[w], w + 1);
    }
    for (int w = 0; w < book_.widths_.wide_count; ++w) {
      book_.wide_weight_[w] = kWideImportance * energy / at_least(wide[w], book_.widths_.wide[w]);
    }
  }

  // Entries of a level, in proportion to a power of the noise at stake there;
  // each starts from a slice of the level's groups, ordered by their best scale.
  void seed_entries() {
    const std::size_t levels = book_.ladder_.size();
    std::vector<std::vector<std::size_t>> members(levels);
    std::vector<double> stake(levels, 0);
    for (std::size_t i = 0; i < groups_.size(); ++i) {
      const auto l = static_cast<std::size_t>(groups_[i].own_level);
      members[l].push_back(i);
      stake[l] += sample_.weight[i] * groups_[i].energy;
    }
    double total = 0;
    for (double& s : stake) total += s = std::pow(s, 0.6);
    const auto spare = static_cast<double>(kMaxEntries - static_cast<int>(levels));
    for (std::size_t l = 0; l < levels; ++l) {
      book_.level_first_.push_back(static_cast<int>(book_.entries_.size()));
      const auto share =
          total > 0 ? 1 + static_cast<std::size_t>(std::floor(spare * stake[l] / total)) : 1;
      const std::size_t slices =
          std::clamp<std::size_t>(share, 1, std::max<std::size_t>(1, members[l].size()));
      seed_level(static_cast<int>(l), members[l], slices);
    }
    book_.level_first_.push_back(static_cast<int>(book_.entries_.size()));
  }

  void seed_level(int level, std::vector<std::size_t>& members, std::size_t slices) {
    const int key = std::min(book_.widths_.narrow, 2) - 1;
    const auto best_scale = [&](std::size_t i) {
      const StepStats& s = own_stats(groups_[i]);
      return s.xb[key] / s.bb[key];
    };
    std::stable_sort(members.begin(), members.end(),
                     [&](std::size_t a, std::size_t b) { return best_scale(a) < best_scale(b); });
    for (std::size_t k = 0; k < slices; ++k) {
      Entry e;
      e.step = step_of(level);
      double xb[kNarrowWidths] = {}, bb[kNarrowWidths] = {};
      for (std::size_t m = k * members.size() / slices; m < (k + 1) * members.size() / slices;
           ++m) {
        add(members[m], own_stats(groups_[members[m]]), xb, bb);
      }
      set_scales(xb, bb, &e);
      book_.entries_.push_back(e);
    }
  }

  void add(std::size_t i, const StepStats& s, double* xb, double* bb) const {
    for (int w = 0; w < book_.widths_.narrow; ++w) {
      xb[w] += sample_.weight[i] * s.xb[w];
      bb[w] += sample_.weight[i] * s.bb[w];
    }
  }

  // The scales of least noise over all groups that were added.
  void set_scales(const double* xb, const double* bb, Entry* e) const {
    for (int w = 0; w < book_.widths_.narrow; ++w) {
      const double best = bb[w] > 0 ? xb[w] / bb[w] : e->narrow[w] > 0 ? e->narrow[w] : e->step;
      e->narrow[w] = static_cast<float>(std::clamp(best, 1.0, 255.0));
    }
  }

  // One round of Lloyd's algorithm.
  void improve() {
    const std::size_t count = book_.entries_.size();
    std::vector<double> xb(count * kNarrowWidths, 0), bb(count * kNarrowWidths, 0);
    for (std::size_t i = 0; i < groups_.size(); ++i) {
      const Group& g = groups_[i];
      double least = INFINITY;
      std::size_t best = 0, best_stats = g.stats;
      for (int k = 0; k < g.candidates; ++k) {
        const std::size_t at = g.stats + static_cast<std::size_t>(k);
        const auto level = static_cast<std::size_t>(g.first_level + k);
        for (int e = book_.level_first_[level]; e < book_.level_first_[level + 1]; ++e) {
          const double c = book_.cost(book_.entries_[static_cast<std::size_t>(e)], stats_[at]);
          if (c < least) {
            least = c;
            best = static_cast<std::size_t>(e);
            best_stats = at;
          }
        }
      }
      add(i, stats_[best_stats], &xb[best * kNarrowWidths], &bb[best * kNarrowWidths]);
    }
    for (std::size_t e = 0; e < count; ++e) {
      set_scales(&xb[e * kNarrowWidths], &bb[e * kNarrowWidths], &book_.entries_[e]);
    }
  }

  ScaleCodebook& book_;
  const GroupSample& sample_;
  std::vector<Group> groups_;
  std::vector<StepStats> stats_;
};

ScaleCodebook::ScaleCodebook(const Widths& widths, std::vector<int> ladder,
                             const GroupSample& sample)
    : widths_(widths), ladder_(std::move(ladder)) {
  Trainer(*this, sample);
}

// The lowest step that holds every weight, one below it and two above, and, where
// only few bits are stored, smaller ones.
ScaleCodebook::Candidates ScaleCodebook::candidates(float greatest) const {
  const auto level = [this](float x) {
    return static_cast<int>(std::lower_bound(ladder_.begin(), ladder_.end() - 1, x) -
                            ladder_.begin());
  };
  return {std::max(0, level(greatest * widths_.smallest_step()) - 1),
          std::min(level(greatest) + 2, static_cast<int>(ladder_.size()) - 1)};
}

// The noise over all widths, weighted, less a part that all entries share.
double ScaleCodebook::cost(const Entry& entry, const StepStats& stats) const {
  double sum = 0;
  for (int w = 0; w < widths_.narrow; ++w) {
    const double q = entry.narrow[w];
    sum += narrow_weight_[w] * q * (q * stats.bb[w] - 2.0 * stats.xb[w]);
  }
  for (int w = 0; w < widths_.wide_count; ++w) sum += wide_weight_[w] * stats.noise[w];
  return sum;
}

ScaleCodebook::Choice ScaleCodebook::choose(const float* x, std::int64_t count,
                                            float greatest) const {
  double energy = 0;
  for (std::int64_t i = 0; i < count; ++i) energy += static_cast<double>(x[i]) * x[i];
  if (energy == 0) return {0, 1};
  // What zeros cost: the narrow widths' share of it is the part that cost() leaves out.
  double least = 0;
  for (int w = 0; w < widths_.wide_count; ++w) least += wide_weight_[w] * energy;
  int best = -1;
  const Candidates range = candidates(greatest);
  for (int l = range.first; l <= range.last; ++l) {
    const auto level = static_cast<std::size_t>(l);
    const StepStats stats = measure_step(x, count, static_cast<float>(ladder_[level]), widths_);
    for (int e = level_first_[level]; e < level_first_[level + 1]; ++e) {
      const double c = cost(entries_[static_cast<std::size_t>(e)], stats);
      if (c < least) {
        least = c;
        best = e;
      }
    }
  }
  if (best < 0) return {0, 1};
  return {static_cast<std::uint8_t>(best + 1), entries_[static_cast<std::size_t>(best)].step};
}

void ScaleCodebook::write(std::uint8_t* rows) const {
  std::fill(rows, rows + widths_.codebook_rows() * 256, std::uint8_t{0});
  for (std::size_t e = 0; e < entries_.size(); ++e) {
    for (int w = 0; w < widths_.codebook_rows(); ++w) {
      const float q = w < widths_.narrow ? entries_[e].narrow[w] : entries_[e].step;
      rows[static_cast<std::size_t>(w) * 256 + e + 1] = static_cast<std::uint8_t>(q);
    }
  }
}

}  // namespace pbatch
