// What is known of the ranges of values before a step is made.
#include <algorithm>

#include "integer/builder.h"

namespace pbatch {

void IntegerBuilder::count_readers() {
  readers_.assign(graph_.values.size(), 0);
  for (const ValueId id : graph_.outputs) ++readers_[static_cast<std::size_t>(id)];
  for (const Node& node : graph_.nodes) {
    std::vector<ValueId> read = node.inputs;  // a product with itself reads once
    std::sort(read.begin(), read.end());
    read.erase(std::unique(read.begin(), read.end()), read.end());
    for (const ValueId id : read) {
      if (id != kNoValue) ++readers_[static_cast<std::size_t>(id)];
    }
  }
}

// What readers saw on samples.
Status IntegerBuilder::read_ranges() {
  for (const Node& node : graph_.nodes) {
    const auto at = node.attributes.find(kInputRange);
    if (at == node.attributes.end() || node.inputs.empty()) continue;
    const auto* const numbers = std::get_if<std::vector<float>>(&at->second);
    if (numbers == nullptr || numbers->size() != 3 || !((*numbers)[0] <= (*numbers)[1])) {
      return Status(ErrorCode::malformed, std::string("attribute ") + kInputRange + " is no range",
                    "make the model anew with 'pbatch quantize'")
          .at_node(node.name);
    }
    Known& k = known(node.inputs[0]);
    const Interval seen{(*numbers)[0], (*numbers)[1]};
    k.seen = k.seen ? Interval{std::min(k.seen->lo, seen.lo), std::max(k.seen->hi, seen.hi)} : seen;
    k.clip8 = std::max(k.clip8, static_cast<double>((*numbers)[2]));
    PBATCH_ASSIGN_OR_RETURN(const float octaves, node.float_attr(kInputOctaves, 0));
    k.octaves = std::max(k.octaves, static_cast<double>(octaves));
  }
  return Status::ok();
}

// Behind what moves it, a value is what it was before: what only such a node reads has the range
// that the node's readers saw.
void IntegerBuilder::move_ranges_back() {
  for (std::size_t n = graph_.nodes.size(); n-- > 0;) {
    const Node& node = graph_.nodes[n];
    if (!only_moves(node)) continue;
    Known all;
    bool complete = true;
    for (const ValueId id : node.outputs) {
      if (id == kNoValue) continue;
      const Known& k = known(id);
      complete = complete && k.seen && readers_[static_cast<std::size_t>(id)] > 0;
      if (!complete) break;
      all.seen = all.seen ? Interval{std::min(all.seen->lo, k.seen->lo),
                                     std::max(all.seen->hi, k.seen->hi)}
                          : *k.seen;
      all.clip8 = std::max(all.clip8, k.clip8);
      all.octaves = std::max(all.octaves, k.octaves);
    }
    if (!complete || !all.seen) continue;
    for (const ValueId id : node.inputs) {
      if (id == kNoValue || readers_[static_cast<std::size_t>(id)] != 1 || !is_float(id)) continue;
      Known& k = known(id);
      if (k.seen || plan_.constant_of(id) != nullptr) continue;
      k.seen = all.seen;
      k.clip8 = all.clip8;
      k.octaves = all.octaves;
    }
  }
}

}  // namespace pbatch
