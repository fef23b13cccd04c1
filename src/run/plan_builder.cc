// Plan::compile: first what every node does, then where every value lies.
#include <algorithm>
#include <deque>
#include <optional>
#include <string>
#include <utility>

#include "product/image_layout.h"
#include "run/arena.h"
#include "run/chains.h"
#include "run/plan.h"
#include "run/plan_steps.h"
#include "run/program.h"
#include "run/run_passes.h"

namespace pbatch {
namespace {

// What is computed when a plan is made stays with it: only what is small.
constexpr std::int64_t kFoldedElements = 1024;
constexpr std::size_t kFoldedBytes = 16 << 10;
constexpr std::size_t kNever = static_cast<std::size_t>(-1);

std::size_t bytes_of_type(const TensorType& type) {
  std::size_t bytes = dtype_size(type.dtype);
  for (const std::int64_t d : type.shape) bytes *= static_cast<std::size_t>(d);
  return bytes;
}

}  // namespace

class PlanBuilder {
 public:
  PlanBuilder(const Program& program, const RunContext& context)
      : program_(program), context_(context), graph_(program.graph()), plan_(new Plan) {}

  Result<std::shared_ptr<const Plan>> build(std::span<const TensorType> inputs) {
    const std::size_t count = graph_.values.size();
    plan_->graph_ = &graph_;
    plan_->types_.resize(count);
    plan_->constants_.resize(count, nullptr);
    known_.resize(count);
    uses_.resize(count);
    versions_.resize(count);
    for (std::size_t v = 0; v < count; ++v) {
      if (graph_.values[v].constant) set_constant(v, &*graph_.values[v].constant);
    }
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const std::size_t v = index(graph_.inputs[i]);
      uses_[v].is_tensor = true;
      PBATCH_RETURN_IF_ERROR(set_type(v, inputs[i]));
    }
    leaves_.resize(count);
    for (const ValueId id : graph_.outputs) leaves_[index(id)] = true;
    for (std::size_t n = 0; n < graph_.nodes.size(); ++n) {
      if (Status s = plan_node(n); !s) {
        return std::move(s).at_node(graph_.nodes[n].name).in_file(graph_.source_file);
      }
    }
    find_tensors();
    PBATCH_RETURN_IF_ERROR(chain_steps());
    find_last_uses();
    place_values();
    return std::shared_ptr<const Plan>(std::move(plan_));
  }

 private:
  static std::size_t index(ValueId id) { return static_cast<std::size_t>(id); }

  // A value in this plan.
  struct Use {
    bool is_tensor = false;               // else it lies in the arena, if its type is known
    std::size_t alias_of = kNever;        // the value whose elements it has
    std::size_t last = kNever;            // entry; kNever for what the program gives back
    std::size_t offset = Plan::kNoPlace;  // in the arena
  };
  // A value of the graph is the plain version of itself.
  struct Versions {
    bool made = true;                    // the plain one; else it can be converted from the other
    bool converted = false;              // the other one, from the plain
    std::size_t channels_last = kNever;  // the value that is the other version
  };
  // What is planned for an entry, until its values have places.
  struct Draft {
    StepPlan plan;
    std::size_t packed_group = kNever;
    struct {
      std::size_t first = kNever, last = kNever;
    } chain;  // entries; of one that is in none, kNever
  };
  // Steps that share packed vectors.
  struct PackedGroup {
    std::size_t value = 0;
    PackedKey key;
    std::size_t first = 0, last = 0, readers = 0, offset = 0;
  };

  void set_constant(std::size_t v, const Tensor* tensor) {
    plan_->constants_[v] = tensor;
    known_[v] = *tensor;
  }

  void fold(std::size_t v, Tensor tensor) {
    plan_->folded_.push_back(std::make_unique<const Tensor>(std::move(tensor)));
    set_constant(v, plan_->folded_.back().get());
  }

  // A shape that cannot exist is an error here, so that sizes are safe from now on.
  Status set_type(std::size_t v, TensorType type) {
    PBATCH_RETURN_IF_ERROR(checked_element_count(type.shape, dtype_size(type.dtype)).status());
    known_[v] = Tensor::view(type.dtype, type.shape, nullptr, nullptr);
    plan_->types_[v] = std::move(type);
    return Status::ok();
  }

  bool is_constant(ValueId id) const {
    return id == kNoValue || plan_->constants_[index(id)] != nullptr;
  }

  Status plan_node(std::size_t n) {
    const Node& node = graph_.nodes[n];
    const bool typed = std::all_of(node.inputs.begin(), node.inputs.end(), [this](ValueId id) {
      return id == kNoValue || known_[index(id)].has_value();
    });
    std::vector<ValueId> ids = node.inputs;
    StepPlan planned;
    if (typed) {
      std::vector<const Tensor*> inputs;
      for (const ValueId id : node.inputs) {
        inputs.push_back(id == kNoValue ? nullptr : &*known_[index(id)]);
      }
      const bool constant = std::all_of(node.inputs.begin(), node.inputs.end(),
                                        [this](ValueId id) { return is_constant(id); });
      PlanRequest request{context_, inputs, node.outputs.size()};
      std::vector<Layout> layouts;
      if (!constant) {
        for (const ValueId id : ids) layouts.push_back(layout_of(id));
        request.layouts = layouts;
        PBATCH_RETURN_IF_ERROR(choose_versions(n, request, layouts, ids));
      }
      PBATCH_ASSIGN_OR_RETURN(planned, program_.op(n).plan(request));
      if (planned.alias_of && is_constant(node.inputs[*planned.alias_of])) {
        planned.value = inputs[*planned.alias_of]->reshaped(planned.outputs[0].shape);
      }
      if (planned.value) {
        fold(index(node.outputs[0]), *std::move(planned.value));
        return Status::ok();
      }
      if (constant) {
        PBATCH_ASSIGN_OR_RETURN(const bool folded, fold_node(n, inputs, planned));
        if (folded) return Status::ok();
      }
    }
    if (!planned.is_planned()) {  // runs on plain tensors
      for (std::size_t i = 0; i < ids.size(); ++i) {
        PBATCH_ASSIGN_OR_RETURN(ids[i], version_of(node, node.inputs[i], Layout::plain));
      }
    }
    return add_entry(n, std::move(ids), std::move(planned));
  }

  // In which a value was made first.
  Layout layout_of(ValueId id) const {
    if (id == kNoValue || is_constant(id)) return Layout::plain;
    const Versions& v = versions_[index(id)];
    return v.channels_last != kNever && !v.converted ? Layout::channels_last : Layout::plain;
  }

  // Brings every input into the layout that the operator wants.
  Status choose_versions(std::size_t n, const PlanRequest& request, std::vector<Layout>& layouts,
                         std::vector<ValueId>& ids) {
    const std::vector<Layout> now = layouts;
    for (std::size_t i = 0; i < ids.size(); ++i) {
      if (ids[i] == kNoValue || has_one_layout(request.inputs[i]->shape())) continue;
      const Layout wanted =
          program_.op(n).wanted_layout({context_, request.inputs, request.outputs, now}, i);
      PBATCH_ASSIGN_OR_RETURN(ids[i], version_of(graph_.nodes[n], ids[i], wanted));
      layouts[i] = wanted;
    }
    return Status::ok();
  }

  std::size_t add_value(TensorType type) {
    const std::size_t v = known_.size();
    known_.emplace_back(Tensor::view(type.dtype, type.shape, nullptr, nullptr));
    uses_.emplace_back();
    versions_.emplace_back();
    plan_->types_.push_back(std::move(type));
    plan_->constants_.push_back(nullptr);
    return v;
  }

  // The value that holds the elements of `id` in a layout; converted before `node` if need be.
  Result<ValueId> version_of(const Node& node, ValueId id, Layout layout) {
    if (id == kNoValue) return id;
    const std::size_t v = index(id);
    if (layout == Layout::plain) {
      if (!std::exchange(versions_[v].made, true)) {
        convert(node, versions_[v].channels_last, v, Layout::plain);
      }
      return id;
    }
    if (versions_[v].channels_last == kNever) {
      const TensorType type{known_[v]->dtype(), known_[v]->shape()};
      const std::size_t to = add_value(type);
      versions_[v].channels_last = to;
      versions_[v].converted = true;
      if (is_constant(id)) {
        PBATCH_ASSIGN_OR_RETURN(Tensor last, context_.allocate(type.dtype, type.shape));
        change_layout(type.shape, dtype_size(type.dtype), layout, plan_->constants_[v]->raw(),
                      last.mutable_raw(), context_.pool);
        fold(to, std::move(last));
      } else {
        convert(node, v, to, layout);
      }
    }
    return static_cast<ValueId>(versions_[v].channels_last);
  }

  void convert(const Node& node, std::size_t from, std::size_t to, Layout layout) {
    const TensorType type = *plan_->types_[from];
    StepPlan step = StepPlan::of(type, [type, layout](const StepCall& call) {
      change_layout(type.shape, dtype_size(type.dtype), layout, call.in[0], call.out[0], call.pool);
      return Status::ok();
    });
    plan_->types_[to] = type;
    Plan::Entry entry;
    entry.node = &node;
    entry.info.node = node.name;
    entry.info.op_type = "Reorder";
    entry.info.kernel = layout == Layout::plain ? "to plain" : "to channels last";
    entry.info.shape = type.shape;
    entry.inputs = {static_cast<ValueId>(from)};
    entry.outputs = {static_cast<ValueId>(to)};
    plan_->entries_.push_back(std::move(entry));
    drafts_.push_back({std::move(step)});
  }

  // Runs a node of known elements now, if its results are small: shapes that others compute with.
  Result<bool> fold_node(std::size_t n, std::span<const Tensor* const> inputs,
                         const StepPlan& planned) {
    const Node& node = graph_.nodes[n];
    if (node.matrix != nullptr) return false;
    for (const Tensor* input : inputs) {
      if (input != nullptr && input->size() > kFoldedElements) return false;
    }
    for (const TensorType& type : planned.outputs) {
      if (!checked_element_count(type.shape, dtype_size(type.dtype)).is_ok()) return false;
      if (bytes_of_type(type) > kFoldedBytes) return false;
    }
    std::vector<Tensor> outputs(node.outputs.size());
    RunContext context = context_;
    PBATCH_RETURN_IF_ERROR(program_.op(n).run(context, inputs, outputs));
    for (const Tensor& output : outputs) {
      if (output.bytes() > kFoldedBytes) return false;
    }
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      if (node.outputs[i] != kNoValue) fold(index(node.outputs[i]), std::move(outputs[i]));
    }
    return true;
  }

  Status add_entry(std::size_t n, std::vector<ValueId> inputs, StepPlan planned) {
    const Node& node = graph_.nodes[n];
    const std::size_t e = plan_->entries_.size();
    Plan::Entry entry;
    entry.node = &node;
    entry.op = &program_.op(n);
    entry.inputs = std::move(inputs);
    entry.outputs = node.outputs;
    entry.info = info_of(node, planned, context_.precision);
    for (std::size_t i = 0; i < node.outputs.size() && planned.is_planned(); ++i) {
      if (node.outputs[i] == kNoValue) continue;
      PBATCH_RETURN_IF_ERROR(set_type(index(node.outputs[i]), planned.outputs[i]));
      if (planned.layout == Layout::plain || has_one_layout(planned.outputs[i].shape)) continue;
      const std::size_t last = add_value(planned.outputs[i]);
      versions_[index(node.outputs[i])] = {false, false, last};
      entry.outputs[i] = static_cast<ValueId>(last);
    }
    if (planned.alias_of) {
      entry.is_alias = true;
      uses_[index(entry.outputs[0])].alias_of = index(entry.inputs[*planned.alias_of]);
    }
    if (!planned.is_planned()) {
      for (const auto* ids : {&entry.inputs, &entry.outputs}) {
        for (const ValueId id : *ids) {
          if (id != kNoValue) uses_[index(id)].is_tensor = true;
        }
      }
    }
    Draft draft{std::move(planned)};
    if (draft.plan.packed)
      draft.packed_group = group_of(index(entry.inputs[0]), *draft.plan.packed, e);
    plan_->entries_.push_back(std::move(entry));
    drafts_.push_back(std::move(draft));
    for (const ValueId id : node.outputs) {
      if (id == kNoValue || !leaves_[index(id)]) continue;
      PBATCH_RETURN_IF_ERROR(version_of(node, id, Layout::plain).status());
    }
    return Status::ok();
  }

  std::size_t group_of(std::size_t value, const PackedKey& key, std::size_t entry) {
    auto found = std::find_if(groups_.begin(), groups_.end(), [&](const PackedGroup& g) {
      return g.value == value && g.key == key;
    });
    if (found == groups_.end()) found = groups_.insert(found, {value, key, entry});
    found->last = entry;
    ++found->readers;
    return static_cast<std::size_t>(found - groups_.begin());
  }

  // What leaves the program, and what operators that are not planned read and write.
  void find_tensors() {
    for (const ValueId id : graph_.outputs) uses_[index(id)].is_tensor = true;
    for (std::size_t v = uses_.size(); v-- > 0;) resolve_alias(v);
  }

  // The source of a tensor that is passed on must be one, too.
  void resolve_alias(std::size_t v) {
    if (!uses_[v].is_tensor) return;
    for (std::size_t s = uses_[v].alias_of; s != kNever; s = uses_[s].alias_of) {
      uses_[s].is_tensor = true;
    }
  }

  // The value whose memory holds the elements of v.
  std::size_t root_of(std::size_t v) const {
    while (!uses_[v].is_tensor && uses_[v].alias_of != kNever) v = uses_[v].alias_of;
    return v;
  }

  void use(ValueId id, std::size_t entry) {
    if (id == kNoValue) return;
    std::size_t v = root_of(index(id));
    uses_[v].last = uses_[v].last == kNever ? entry : std::max(uses_[v].last, entry);
  }

  // An entry that leaves nothing to do in a run.
  bool is_gone(const Plan::Entry& entry) const {
    return entry.is_alias && !uses_[index(entry.outputs[0])].is_tensor;
  }

  ChainCandidate candidate_of(std::size_t e) const {
    const Plan::Entry& entry = plan_->entries_[e];
    ChainCandidate candidate;
    if (entry.is_alias || !drafts_[e].plan.tiling) return candidate;
    candidate.tiling = drafts_[e].plan.tiling;
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
    for (std::size_t e = 0; e < plan_->entries_.size(); ++e) {
      if (is_gone(plan_->entries_[e])) continue;
      entries.push_back(e);
      candidates.push_back(candidate_of(e));
    }
    std::size_t at = 0;
    for (const Chain& chain : find_chains(candidates)) {
      plan_->entries_[entries[at]].chain = chain;
      for (std::size_t k = 0; k < chain.steps && chain.steps > 1; ++k) {
        Plan::Entry& entry = plan_->entries_[entries[at + k]];
        const Tiling& tiling = *drafts_[entries[at + k]].plan.tiling;
        entry.tiles = chain.elements / tiling.tile;
        entry.all_tiles = tiling.tiles;
        if (k > 0) entry.info.kernel += ", chained";
        drafts_[entries[at + k]].chain = {entries[at], entries[at + chain.steps - 1]};
      }
      at += chain.steps;
    }
    return Status::ok();
  }

  void find_last_uses() {
    for (std::size_t e = 0; e < plan_->entries_.size(); ++e) {
      const Plan::Entry& entry = plan_->entries_[e];
      if (is_gone(entry)) continue;
      for (const ValueId id : entry.inputs) use(id, e);
      for (const ValueId id : entry.outputs) use(id, e);
    }
    for (const auto* ids : {&graph_.inputs, &graph_.outputs}) {
      for (const ValueId id : *ids) uses_[index(id)].last = kNever;
    }
  }

  void place_values() {
    for (std::size_t e = 0; e < plan_->entries_.size(); ++e) {
      Plan::Entry& entry = plan_->entries_[e];
      if (is_gone(entry)) continue;
      if (entry.is_alias) {
        entry.made.push_back({0, static_cast<ValueId>(uses_[index(entry.outputs[0])].alias_of)});
      } else if (drafts_[e].plan.is_planned()) {
        place_step(e);
      }
      release_after(e);
    }
    std::erase_if(plan_->entries_, [this](const Plan::Entry& entry) { return is_gone(entry); });
    plan_->arena_bytes_ = arena_.bytes();
  }

  // Members of a chain run in turns, so what they use is needed until the last of them has run.
  void release_after(std::size_t e) {
    const auto [first, last] = drafts_[e].chain;
    if (first == kNever) return release(e);
    if (e != last) return;
    for (std::size_t member = first; member <= last; ++member) release(member);
  }

  void place_step(std::size_t e) {
    Plan::Entry& entry = plan_->entries_[e];
    Draft& draft = drafts_[e];
    entry.step = std::move(draft.plan.step);
    entry.in = plan_->pointers_.size();
    for (const ValueId id : entry.inputs) add_input(entry, id);
    entry.out = plan_->pointers_.size();
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
    plan_->arena_slots_.push_back({plan_->pointers_.size(), offset});
    plan_->pointers_.push_back(nullptr);
  }

  void add_input(Plan::Entry& entry, ValueId id) {
    if (id == kNoValue) {
      plan_->pointers_.push_back(nullptr);
    } else if (const Tensor* constant = plan_->constants_[index(id)]; constant != nullptr) {
      plan_->pointers_.push_back(constant->raw());
    } else if (const std::size_t v = root_of(index(id)); uses_[v].is_tensor) {
      entry.patches.push_back({plan_->pointers_.size(), static_cast<ValueId>(v)});
      plan_->pointers_.push_back(nullptr);
    } else {
      add_arena_pointer(uses_[v].offset);
    }
  }

  void add_output(std::size_t e, std::size_t i) {
    Plan::Entry& entry = plan_->entries_[e];
    const ValueId id = entry.outputs[i];
    Use& out = uses_[index(id)];
    if (out.is_tensor) {
      entry.made.push_back({plan_->pointers_.size(), id});
      plan_->pointers_.push_back(nullptr);
      return;
    }
    const std::size_t over = i == 0 ? overwritten(e) : kNever;
    if (over != kNever) {
      out.offset = std::exchange(uses_[over].offset, Plan::kNoPlace);
    } else {
      out.offset = arena_.allocate(bytes_of_type(*plan_->types_[index(id)]));
    }
    add_arena_pointer(out.offset);
  }

  // The value whose place output 0 of the entry takes; kNever for none.
  std::size_t overwritten(std::size_t e) const {
    const StepPlan& plan = drafts_[e].plan;
    const std::vector<ValueId>& inputs = plan_->entries_[e].inputs;
    if (!plan.overwrites || is_constant(inputs[*plan.overwrites])) return kNever;
    const std::size_t v = root_of(index(inputs[*plan.overwrites]));
    const Use& use = uses_[v];
    if (use.is_tensor || use.last != e) return kNever;
    if (bytes_of_type(*plan_->types_[v]) != bytes_of_type(plan.outputs[0])) return kNever;
    for (std::size_t i = 0; i < inputs.size(); ++i) {  // an input that is read elsewhere
      if (i == *plan.overwrites || is_constant(inputs[i])) continue;
      if (root_of(index(inputs[i])) == v) return kNever;
    }
    return is_read_whole_before(v, e) ? kNever : v;
  }

  // Whether a member of e's chain before it reads elements of v that e may have overwritten.
  bool is_read_whole_before(std::size_t v, std::size_t e) const {
    for (std::size_t m = drafts_[e].chain.first; m < e; ++m) {  // none where that is kNever
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
    Plan::Entry& entry = plan_->entries_[e];
    for (const auto* ids : {&entry.inputs, &entry.outputs}) {
      for (const ValueId id : *ids) {
        if (is_constant(id)) continue;
        const std::size_t v = root_of(index(id));
        Use& use = uses_[v];
        if (use.last != e) continue;
        if (use.is_tensor) {
          entry.released.push_back(static_cast<ValueId>(v));
        } else if (use.offset != Plan::kNoPlace) {
          arena_.free(std::exchange(use.offset, Plan::kNoPlace), bytes_of_type(*plan_->types_[v]));
        }
      }
    }
  }

  const Program& program_;
  const RunContext& context_;
  const Graph& graph_;
  std::unique_ptr<Plan> plan_;
  std::deque<std::optional<Tensor>> known_;  // types, and the elements of constants
  std::vector<Use> uses_;
  std::vector<Versions> versions_;
  std::vector<bool> leaves_;   // outputs of the graph
  std::vector<Draft> drafts_;  // per entry
  std::vector<PackedGroup> groups_;
  Arena arena_;
};

Result<std::shared_ptr<const Plan>> Plan::compile(const Program& program, const RunContext& context,
                                                  std::span<const TensorType> inputs) {
  return PlanBuilder(program, context).build(inputs);
}

}  // namespace pbatch
