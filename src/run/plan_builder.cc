// Plan::compile: what every node does; plan_placement.h says where every value lies.
#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "product/image_layout.h"
#include "run/plan.h"
#include "run/plan_placement.h"
#include "run/plan_steps.h"
#include "run/program.h"

namespace pbatch {
namespace {

// What is computed when a plan is made stays with it: only what is small.
constexpr std::int64_t kFoldedElements = 1024;
constexpr std::size_t kFoldedBytes = 16 << 10;

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
    values_.resize(count);
    versions_.resize(count);
    for (std::size_t v = 0; v < count; ++v) {
      if (graph_.values[v].constant) set_constant(v, &*graph_.values[v].constant);
    }
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const std::size_t v = index(graph_.inputs[i]);
      values_[v].is_tensor = true;
      PBATCH_RETURN_IF_ERROR(set_type(v, inputs[i]));
    }
    leaves_.resize(count);
    consumers_ = graph_.consumers();
    for (const ValueId id : graph_.outputs) leaves_[index(id)] = true;
    for (std::size_t n = 0; n < graph_.nodes.size(); ++n) {
      if (Status s = plan_node(n); !s) {
        return std::move(s).at_node(graph_.nodes[n].name).in_file(graph_.source_file);
      }
    }
    PBATCH_RETURN_IF_ERROR(place_plan(*plan_, values_, steps_, groups_));
    return std::shared_ptr<const Plan>(std::move(plan_));
  }

 private:
  static std::size_t index(ValueId id) { return static_cast<std::size_t>(id); }

  // A value of the graph is the plain version of itself.
  struct Versions {
    bool made = true;                    // the plain one; else it can be converted from the other
    bool converted = false;              // the other one, from the plain
    std::size_t channels_last = kNever;  // the value that is the other version
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

  // A copy that waits for a consumer that cannot read the elements where they are.
  struct WaitingCopy {
    std::size_t node = 0;
    std::vector<ValueId> inputs;
    StepPlan plan;
  };

  // Whether somebody reads it who need not see the copy.
  bool can_wait(const StepPlan& planned, ValueId made) const {
    if (!planned.view || leaves_[index(made)]) return false;
    const TensorType& type = planned.outputs[0];
    const Tensor tensor = Tensor::view(type.dtype, type.shape, nullptr, nullptr);
    const auto& readers = consumers_[index(made)];
    return std::any_of(readers.begin(), readers.end(), [&](std::int32_t n) {
      return program_.op(static_cast<std::size_t>(n)).takes_view(tensor, *planned.view);
    });
  }

  Status make_copy(ValueId id) {
    const auto found = waiting_.find(id);
    if (found == waiting_.end()) return Status::ok();
    WaitingCopy copy = std::move(found->second);
    waiting_.erase(found);
    return add_entry(copy.node, std::move(copy.inputs), std::move(copy.plan));
  }

  // Where an operator takes elements of another value, its input becomes that value: the source of
  // a copy that waits, or the version of itself that has its channels last.
  Status take_views(std::size_t n, std::vector<ValueId>& ids,
                    std::vector<const ElementView*>& views) {
    const Node& node = graph_.nodes[n];
    views.assign(ids.size(), nullptr);
    for (std::size_t i = 0; i < ids.size(); ++i) {
      if (ids[i] == kNoValue) continue;
      const Tensor& input = *known_[index(ids[i])];
      if (const auto found = waiting_.find(ids[i]); found != waiting_.end()) {
        const WaitingCopy& copy = found->second;
        if (program_.op(n).takes_view(input, *copy.plan.view)) {
          views[i] = &*copy.plan.view;
          ids[i] = copy.inputs[0];
        } else {
          PBATCH_RETURN_IF_ERROR(make_copy(node.inputs[i]));
        }
      } else if (!versions_[index(ids[i])].made) {
        ElementView view{strides_in_memory(input.shape(), Layout::channels_last), 0};
        if (!program_.op(n).takes_view(input, view)) continue;
        views[i] = &layout_views_.emplace_back(std::move(view));
        ids[i] = static_cast<ValueId>(versions_[index(ids[i])].channels_last);
      }
    }
    return Status::ok();
  }

  Status plan_node(std::size_t n) {
    const Node& node = graph_.nodes[n];
    const bool typed = std::all_of(node.inputs.begin(), node.inputs.end(), [this](ValueId id) {
      return id == kNoValue || known_[index(id)].has_value();
    });
    std::vector<ValueId> ids = node.inputs;
    StepPlan planned;
    if (!typed) {
      for (const ValueId id : ids) PBATCH_RETURN_IF_ERROR(make_copy(id));
    } else {
      std::vector<const ElementView*> views;
      PBATCH_RETURN_IF_ERROR(take_views(n, ids, views));
      std::vector<const Tensor*> inputs;
      for (const ValueId id : node.inputs) {
        inputs.push_back(id == kNoValue ? nullptr : &*known_[index(id)]);
      }
      const bool constant = std::all_of(node.inputs.begin(), node.inputs.end(),
                                        [this](ValueId id) { return is_constant(id); });
      PlanRequest request{context_, inputs, node.outputs.size()};
      std::vector<Layout> layouts;
      if (!constant) {
        for (std::size_t i = 0; i < ids.size(); ++i) {
          layouts.push_back(views[i] == nullptr ? layout_of(ids[i]) : Layout::plain);
        }
        request.layouts = layouts;
        request.views = views;
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
      if (!constant && can_wait(planned, node.outputs[0])) {
        PBATCH_RETURN_IF_ERROR(set_type(index(node.outputs[0]), planned.outputs[0]));
        waiting_[node.outputs[0]] = {n, std::move(ids), std::move(planned)};
        return Status::ok();
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
      if (ids[i] == kNoValue || request.view(i) != nullptr) continue;
      if (has_one_layout(request.inputs[i]->shape())) continue;
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
    values_.emplace_back();
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
    steps_.push_back({std::move(step)});
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
      values_[index(entry.outputs[0])].alias_of = index(entry.inputs[*planned.alias_of]);
    }
    if (!planned.is_planned()) {
      for (const auto* ids : {&entry.inputs, &entry.outputs}) {
        for (const ValueId id : *ids) {
          if (id != kNoValue) values_[index(id)].is_tensor = true;
        }
      }
    }
    PlannedStep draft{std::move(planned)};
    if (draft.plan.packed)
      draft.packed_group = group_of(index(entry.inputs[0]), *draft.plan.packed, e);
    plan_->entries_.push_back(std::move(entry));
    steps_.push_back(std::move(draft));
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

  const Program& program_;
  const RunContext& context_;
  const Graph& graph_;
  std::unique_ptr<Plan> plan_;
  std::deque<std::optional<Tensor>> known_;  // types, and the elements of constants
  std::vector<PlannedValue> values_;
  std::vector<Versions> versions_;
  std::vector<bool> leaves_;  // outputs of the graph
  std::vector<std::vector<std::int32_t>> consumers_;
  std::map<ValueId, WaitingCopy> waiting_;  // by what they make
  std::deque<ElementView> layout_views_;
  std::vector<PlannedStep> steps_;  // per entry
  std::vector<PackedGroup> groups_;
};

Result<std::shared_ptr<const Plan>> Plan::compile(const Program& program, const RunContext& context,
                                                  std::span<const TensorType> inputs) {
  return PlanBuilder(program, context).build(inputs);
}

}  // namespace pbatch
