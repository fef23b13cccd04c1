#include "run/chains.h"

#include <algorithm>

namespace pbatch {
namespace {

// 16 KiB of floats: with what else a member reads they stay in a first-level cache.
constexpr std::int64_t kTileElements = 4096;

class ChainUnderWay {
 public:
  explicit ChainUnderWay(const ChainCandidate& first) { add(first); }

  bool takes(const ChainCandidate& step) const {
    if (!step.tiling || members_ == kMaxChain) return false;
    const Tiling& t = *step.tiling;
    if (elements_ == 0 || t.tiles * t.tile != elements_) return false;
    if (std::max(t.tile, tile_) % std::min(t.tile, tile_) != 0) return false;
    bool reads = false;
    for (std::size_t i = 0; i < step.inputs.size(); ++i) {
      const bool made_here =
          std::find(outputs_.begin(), outputs_.end(), step.inputs[i]) != outputs_.end();
      if (made_here && !step.aligned[i]) return false;
      reads = reads || made_here;
    }
    return reads;
  }

  void add(const ChainCandidate& step) {
    const Tiling& t = *step.tiling;
    elements_ = t.tiles * t.tile;
    tile_ = std::max(tile_, t.tile);
    work_ += 1.0 / static_cast<double>(std::max<std::int64_t>(1, t.grain * t.tile));
    outputs_.push_back(step.output);
    ++members_;
  }

  std::size_t members() const { return members_; }

  Chain result() const {
    Chain chain;
    chain.steps = members_;
    chain.elements = std::max<std::int64_t>(1, kTileElements / tile_) * tile_;
    chain.tiles = (elements_ + chain.elements - 1) / chain.elements;
    chain.grain = 1 + static_cast<std::int64_t>(1.0 / work_) / chain.elements;
    return chain;
  }

 private:
  std::size_t members_ = 0;
  std::int64_t elements_ = 0, tile_ = 1;
  double work_ = 0;  // the part of what is worth a thread that an element is
  std::vector<std::size_t> outputs_;
};

}  // namespace

std::vector<Chain> find_chains(std::span<const ChainCandidate> steps) {
  std::vector<Chain> chains;
  for (std::size_t i = 0; i < steps.size();) {
    if (!steps[i].tiling) {
      chains.emplace_back();
      ++i;
      continue;
    }
    ChainUnderWay chain(steps[i++]);
    while (i < steps.size() && chain.takes(steps[i])) chain.add(steps[i++]);
    chains.push_back(chain.result());
  }
  return chains;
}

}  // namespace pbatch
