#include "run/plan_placement.h"

#include <algorithm>
#include <utility>

#include "run/arena.h"
#include "run/chains.h"
#include "run/run_passes.h"

namespace pbatch {
class PlanPlacement {
 public:
  PlanPlacement(Plan& plan, std::vector<PlannedValue>& values, std::vector<PlannedStep>& steps,
                std::vector<PackedGroup>& groups)
      : plan_(plan), graph_(*plan.graph_), values_(values), steps_(steps), groups_(groups) {}

  Status run() {
    find_tensors();
    PBATCH_RETURN_IF_ERROR(chain_steps());
    find_last_uses();
    place_values();
    return Status::ok();
  }

 private:
  static std::size_t index(ValueId id) { return static_cast<std::size_t>(id); }

  bool is_constant(ValueId id) const {
    return id == kNoValue || plan_.constants_[index(id)] != nullptr;
  }

  // What leaves the program, and what operators that are not planned read and write.
  void find_tensors() {
    for (const ValueId id : graph_.outputs) values_[index(id)].is_tensor = true;
    for (std::size_t v = values_.size(); v-- > 0;) resolve_alias(v);
  }

  // The source of a tensor that is passed on must be one, too.
  void resolve_alias(std::size_t v) {
    if (!values_[v].is_tensor) return;
    for (std::size_t s = values_[v].alias_of; s != kNever; s = values_[s].alias_of) {
      values_[s].is_tensor = true;
    }
  }

  // The value whose memory holds the elements of v.
  std::size_t root_of(std::size_t v) const {
    while (!values_[v].is_tensor && values_[v].alias_of != kNever) v = values_[v].alias_of;
    return v;
  }

  void use(ValueId id, std::size_t entry) {
    if (id == kNoValue) return;
    std::size_t v = root_of(index(id));
    values_[v].last = values_[v].last == kNever ? entry : std::max(values_[v].last, entry);
  }

  // An entry that leaves nothing to do in a run.
  bool is_gone(const Plan::Entry& entry) const {
    return entry.is_alias && !values_[index(entry.outputs[0])].is_tensor;
  }

  ChainCandidate candidate_of(std::size_t e) const {
    const Plan::Entry& entry = plan_.entries_[e];
    ChainCandidate candidate;
    if (entry.is_alias || !steps_[e].plan.tiling) return candidate;
    candidate.tiling = steps_[e].plan.tiling;
    for (std::size_t i = 0; i < entry.inputs.size(); ++i) {
      if (is_constant(entry.inputs[i])) continue;
      candidate.inputs.push_back(root_of(index(entry.inputs[i])));
      candidate.aligned.push_back(i < 32 && (candidate.tiling->aligned >> i & 1u) != 0);
    }
    candidate.output = root_of(index(entry.outputs[0]));
    return candidate;
  }

  Status chain_steps() {
    PBATCH_ASSIGN_OR_RETURN(const bool left_out, is_left_out("chain_steps"));
    if (left_out) return Status::ok();
    std::vector<std::size_t> entries;
    std::vector<ChainCandidate> candidates;
    for (std::size_t e = 0; e < plan_.entries_.size(); ++e) {
      if (is_gone(plan_.entries_[e])) continue;
      entries.push_back(e);
      candidates.push_back(candidate_of(e));
    }
    std::size_t at = 0;
    for (const Chain& chain : find_chains(candidates)) {
      plan_.entries_[entries[at]].chain = chain;
      for (std::size_t k = 0; k < chain.steps && chain.steps > 1; ++k) {
        Plan::Entry& entry = plan_.entries_[entries[at + k]];
        const Tiling& tiling = *steps_[entries[at + k]].plan.tiling;
        entry.tiles = chain.elements / tiling.tile;
        entry.all_tiles = tiling.tiles;
        if (k > 0) entry.info.kernel += ", chained";
        steps_[entries[at + k]].chain = {entries[at], entries[at + chain.steps - 1]};
      }
      at += chain.steps;
    }
    return Status::ok();
  }

  void find_last_uses() {
    for (std::size_t e = 0; e < plan_.entries_.size(); ++e) {
      const Plan::Entry& entry = plan_.entries_[e];
      if (is_gone(entry)) continue;
      for (const ValueId id : entry.inputs) use(id, e);
      for (const ValueId id : entry.outputs) use(id, e);
    }
    for (const auto* ids : {&graph_.inputs, &graph_.outputs}) {
      for (const ValueId id : *ids) values_[index(id)].last = kNever;
    }
  }

  void place_values() {
    for (std::size_t e = 0; e < plan_.entries_.size(); ++e) {
      Plan::Entry& entry = plan_.entries_[e];
      if (is_gone(entry)) continue;
      if (entry.is_alias) {
        entry.made.push_back({0, static_cast<ValueId>(values_[index(entry.outputs[0])].alias_of)});
      } else if (steps_[e].plan.is_planned()) {
        place_step(e);
      }
      release_after(e);
    }
    std::erase_if(plan_.entries_, [this](const Plan::Entry& entry) { return is_gone(entry); });
    plan_.arena_bytes_ = arena_.bytes();
  }

  // Members of a chain run in turns, so what they use is needed until the last of them has run.
  void release_after(std::size_t e) {
    const auto [first, last] = steps_[e].chain;
    if (first == kNever) return release(e);
    if (e != last) return;
    for (std::size_t member = first; member <= last; ++member) release(member);
  }

  void place_step(std::size_t e) {
    Plan::Entry& entry = plan_.entries_[e];
    PlannedStep& draft = steps_[e];
    entry.step = std::move(draft.plan.step);
    entry.in = plan_.pointers_.size();
    for (const ValueId id : entry.inputs) add_input(entry, id);
    entry.out = plan_.pointers_.size();
    std::vector<std::pair<std::size_t, std::size_t>> unused;  // places of outputs without a value
    for (std::size_t i = 0; i < draft.plan.outputs.size(); ++i) {
      if (i < entry.outputs.size() && entry.outputs[i] != kNoValue) {
        add_output(e, i);
      } else {
        const std::size_t bytes = bytes_of_type(draft.plan.outputs[i]);
        unused.emplace_back(arena_.allocate(bytes), bytes);
        add_arena_pointer(unused.back().first);
      }
    }
    const std::size_t scratch = draft.plan.scratch_bytes;
    if (scratch > 0) entry.scratch = arena_.allocate(scratch);
    place_packed(entry, draft.packed_group, e);
    if (scratch > 0) arena_.free(entry.scratch, scratch);
    for (const auto& [offset, bytes] : unused) arena_.free(offset, bytes);
  }

  void add_arena_pointer(std::size_t offset) {
    plan_.arena_slots_.push_back({plan_.pointers_.size(), offset});
    plan_.pointers_.push_back(nullptr);
  }

  void add_input(Plan::Entry& entry, ValueId id) {
    if (id == kNoValue) {
      plan_.pointers_.push_back(nullptr);
    } else if (const Tensor* constant = plan_.constants_[index(id)]; constant != nullptr) {
      plan_.pointers_.push_back(constant->raw());
    } else if (const std::size_t v = root_of(index(id)); values_[v].is_tensor) {
      entry.patches.push_back({plan_.pointers_.size(), static_cast<ValueId>(v)});
      plan_.pointers_.push_back(nullptr);
    } else {
      add_arena_pointer(values_[v].offset);
    }
  }

  void add_output(std::size_t e, std::size_t i) {
    Plan::Entry& entry = plan_.entries_[e];
    const ValueId id = entry.outputs[i];
    PlannedValue& out = values_[index(id)];
    if (out.is_tensor) {
      entry.made.push_back({plan_.pointers_.size(), id});
      plan_.pointers_.push_back(nullptr);
      return;
    }
    const std::size_t over = i == 0 ? overwritten(e) : kNever;
    if (over != kNever) {
      out.offset = std::exchange(values_[over].offset, Plan::kNoPlace);
    } else {
      out.offset = arena_.allocate(bytes_of_type(*plan_.types_[index(id)]));
    }
    add_arena_pointer(out.offset);
  }

  // The value whose place output 0 of the entry takes; kNever for none.
  std::size_t overwritten(std::size_t e) const {
    const StepPlan& plan = steps_[e].plan;
    const std::vector<ValueId>& inputs = plan_.entries_[e].inputs;
    if (!plan.overwrites || is_constant(inputs[*plan.overwrites])) return kNever;
    const std::size_t v = root_of(index(inputs[*plan.overwrites]));
    const PlannedValue& use = values_[v];
    if (use.is_tensor || use.last != e) return kNever;
    if (bytes_of_type(*plan_.types_[v]) != bytes_of_type(plan.outputs[0])) return kNever;
    for (std::size_t i = 0; i < inputs.size(); ++i) {  // an input that is read elsewhere
      if (i == *plan.overwrites || is_constant(inputs[i])) continue;
      if (root_of(index(inputs[i])) == v) return kNever;
    }
    return is_read_whole_before(v, e) ? kNever : v;
  }

  // Whether a member of e's chain before it reads elements of v that e may have overwritten.
  bool is_read_whole_before(std::size_t v, std::size_t e) const {
    for (std::size_t m = steps_[e].chain.first; m < e; ++m) {  // none where that is kNever
      const ChainCandidate member = candidate_of(m);
      for (std::size_t i = 0; i < member.inputs.size(); ++i) {
        if (member.inputs[i] == v && !member.aligned[i]) return true;
      }
    }
    return false;
  }

  void place_packed(Plan::Entry& entry, std::size_t g, std::size_t e) {
    if (g == kNever || groups_[g].readers < 2) return;
    PackedGroup& group = groups_[g];
    const std::size_t bytes = packed_buffer_bytes(group.key);
    entry.packed_ready = e != group.first;
    if (!entry.packed_ready) group.offset = arena_.allocate(bytes);
    entry.packed = group.offset;
    if (e == group.last) arena_.free(group.offset, bytes);
  }

  // What nobody uses after this entry.
  void release(std::size_t e) {
    Plan::Entry& entry = plan_.entries_[e];
    for (const auto* ids : {&entry.inputs, &entry.outputs}) {
      for (const ValueId id : *ids) {
        if (is_constant(id)) continue;
        const std::size_t v = root_of(index(id));
        PlannedValue& use = values_[v];
        if (use.last != e) continue;
        if (use.is_tensor) {
          entry.released.push_back(static_cast<ValueId>(v));
        } else if (use.offset != Plan::kNoPlace) {
          arena_.free(std::exchange(use.offset, Plan::kNoPlace), bytes_of_type(*plan_.types_[v]));
        }
      }
    }
  }

  Plan& plan_;
  const Graph& graph_;
  std::vector<PlannedValue>& values_;
  std::vector<PlannedStep>& steps_;
  std::vector<PackedGroup>& groups_;
  Arena arena_;
};

Status place_plan(Plan& plan, std::vector<PlannedValue>& values, std::vector<PlannedStep>& steps,
                  std::vector<PackedGroup>& groups) {
  return PlanPlacement(plan, values, steps, groups).run();
}

}  // namespace pbatch
