#include "integer/integer_builder.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <sstream>
#include <string_view>

#include "graph/passes.h"
#include "integer/builder.h"
#include "integer/dyadic.h"
#include "isa/isa.h"
#include "kernel/registry.h"
#include "layout/bit_matrix.h"
#include "run/check_precision.h"
#include "run/fold_constants.h"
#include "run/run_passes.h"

namespace pbatch {
namespace {

const char* const kGiveRange =
    "quantize with --samples, or with --input-range NAME=LEAST:GREATEST for what it can be";

std::int64_t elements(const Shape& shape) {
  std::int64_t count = 1;
  for (const std::int64_t d : shape) count *= d;
  return count;
}

}  // namespace

const Tensor* IntegerBuilder::constant(const Node& node, std::size_t i) const {
  if (i >= node.inputs.size() || node.inputs[i] == kNoValue) return nullptr;
  return plan_.constant_of(node.inputs[i]);
}

Status IntegerBuilder::missing(const Node& node, const std::string& why) const {
  return {ErrorCode::unsupported, node.op_type + " has no integer form here: " + why,
          "run without integer arithmetic"};
}

std::string IntegerBuilder::reader_of(ValueId id) const {
  for (const Node& node : graph_.nodes) {
    if (std::find(node.inputs.begin(), node.inputs.end(), id) != node.inputs.end()) {
      return node.name;
    }
  }
  return {};
}

int IntegerBuilder::add_hidden(const std::string& name, const Shape& shape,
                               const IntegerFormat& format) {
  IntegerValue value;
  value.name = name;
  value.shape = shape;
  value.format = format;
  value.count = elements(shape);
  made_->values_.push_back(std::move(value));
  return static_cast<int>(made_->values_.size()) - 1;
}

int IntegerBuilder::add_value(ValueId id, const IntegerFormat& format) {
  if (id == kNoValue) return -1;
  const int v = add_hidden(graph_.values[static_cast<std::size_t>(id)].name, shape_of(id), format);
  known(id).made = v;
  return v;
}

int IntegerBuilder::add_constant(const std::string& name, const Shape& shape,
                                 const IntegerFormat& format, std::vector<std::int32_t> codes) {
  const int v = add_hidden(name, shape, format);
  made_->values_[static_cast<std::size_t>(v)].constant =
      std::make_shared<const std::vector<std::int32_t>>(std::move(codes));
  return v;
}

Result<int> IntegerBuilder::operand(const Node& node, std::size_t i) {
  if (i >= node.inputs.size() || node.inputs[i] == kNoValue) return -1;
  Known& k = known(node.inputs[i]);
  if (k.made >= 0) return k.made;
  const Tensor* const c = constant(node, i);
  if (c == nullptr) return missing(node, "its input depends on data of another kind");
  std::vector<std::int32_t> codes(static_cast<std::size_t>(c->size()));
  IntegerFormat format;
  if (c->dtype() == DType::f32) {
    Interval range;
    for (std::int64_t e = 0; e < c->size(); ++e) {
      const double x = static_cast<double>(c->data<float>()[e]);
      if (!std::isfinite(x)) return missing(node, "a constant is not finite");
      range = {std::min(range.lo, x), std::max(range.hi, x)};
    }
    format = IntegerFormat::of(range, 16);
    for (std::int64_t e = 0; e < c->size(); ++e) {
      codes[static_cast<std::size_t>(e)] = static_cast<std::int32_t>(
          std::nearbyint(static_cast<double>(c->data<float>()[e]) / format.scale));
    }
  } else if (c->dtype() == DType::i64 || c->dtype() == DType::i32) {
    for (std::int64_t e = 0; e < c->size(); ++e) {
      codes[static_cast<std::size_t>(e)] = static_cast<std::int32_t>(
          c->dtype() == DType::i64 ? c->data<std::int64_t>()[e] : c->data<std::int32_t>()[e]);
    }
  } else {
    return missing(node, std::string("a constant is ") + dtype_name(c->dtype()));
  }
  k.made = add_constant("", c->shape(), format, std::move(codes));
  return k.made;
}

int IntegerBuilder::rescaled(const std::string& node, int from, const IntegerFormat& to) {
  const IntegerFormat has = format(from);
  if (has == to) return from;
  const IntegerValue source = made_->values_[static_cast<std::size_t>(from)];
  const int y = add_hidden("", source.shape, to);
  auto args = std::make_shared<pb_rescale>();
  args->count = source.count;
  args->scale = dyadic_of(has.scale / to.scale, has.magnitude());
  args->lo = to.lo;
  args->hi = to.hi;
  IntegerStep step;
  step.node = node;
  step.kind = "rescale";
  step.inputs = {from};
  step.outputs = {y};
  step.run = [args](const IntegerCall& c) { c.fns.rescale(args.get(), c.in[0], c.out[0]); };
  step.write = [args](CWriter& w, const IntegerNames& names) {
    const std::string s = w.structure(
        "pb_rescale", std::to_string(args->count) + ", " + CWriter::of(args->scale) + ", " +
                          std::to_string(args->lo) + ", " + std::to_string(args->hi));
    w.call(call_text("pb_rescale_run", s, names));
  };
  made_->steps_.push_back(std::move(step));
  return y;
}

Result<int> IntegerBuilder::operand_of_16(const Node& node, std::size_t i) {
  PBATCH_ASSIGN_OR_RETURN(const int v, operand(node, i));
  if (v < 0 || format(v).magnitude() <= 32767) return v;
  return rescaled(node.name, v, IntegerFormat::of(format(v).interval(), 16));
}

Result<int> IntegerBuilder::operand_as(const Node& node, std::size_t i,
                                       const IntegerFormat& wanted) {
  PBATCH_ASSIGN_OR_RETURN(const int v, operand(node, i));
  return v < 0 ? v : rescaled(node.name, v, wanted);
}

// How much of its range a value is likely to use, as a root of mean squares. Of L1 bounds, which
// grow with every product, little: sums of n terms are about sqrt(n) large, and a bit more than
// that for bell-shaped weights.
double IntegerBuilder::share_in_use(ValueId id) {
  constexpr std::array<std::string_view, 10> kBounded = {
      "Recurrent", "BitRecurrent", "BitGather",   "Sigmoid",  "Tanh",
      "Softmax",   "Erf",          "HardSigmoid", "Softsign", "Clip"};
  constexpr double kUsual = 0.5;
  if (id == kNoValue || graph_.constant(id) != nullptr) return kUsual;
  if (known(id).seen) return kUsual;
  // Found once: a network that splits and adds k times has 2^k ways back.
  if (known(id).share) return *known(id).share;
  const std::int32_t n = producers_[static_cast<std::size_t>(id)];
  if (n < 0) return kUsual;
  const Node& node = graph_.nodes[static_cast<std::size_t>(n)];
  if (std::find(kBounded.begin(), kBounded.end(), node.op_type) != kBounded.end()) return kUsual;
  double share = kUsual;
  for (const ValueId input : node.inputs) share = std::min(share, share_in_use(input));
  std::int64_t terms = 1;
  if (node.matrix != nullptr) terms = node.matrix->cols;
  if (node.matrix == nullptr && (node.op_type == "Linear" || node.op_type == "Conv")) {
    const Tensor* const w = graph_.constant(node.inputs[1]);
    if (w != nullptr && w->size() > 0) terms = w->size() / w->dim(node.op_type == "Conv" ? 0 : 1);
  }
  if (terms > 1) share *= 1.25 / std::sqrt(static_cast<double>(terms));
  known(id).share = share;
  return share;
}

Result<int> IntegerBuilder::product_input(const Node& node, std::size_t i, int bits) {
  PBATCH_ASSIGN_OR_RETURN(const int v, operand(node, i));
  if (bits == 8 && 127 * share_in_use(node.inputs[i]) < 1) {
    return Status(ErrorCode::invalid_argument,
                  "only weights say how large input '" +
                      graph_.values[static_cast<std::size_t>(node.inputs[i])].name +
                      "' can be, so widely that 8 bits would hold next to nothing of it",
                  "quantize with --samples, or take 16 activation bits for this layer")
        .at_node(node.name);
  }
  const IntegerFormat& has = format(v);
  if (has.is_index()) return missing(node, "it multiplies indices");
  if (bits == kActivations8s) {
    const double octaves = known(node.inputs[i]).octaves;
    if (octaves > 0) {
      PBATCH_ASSIGN_OR_RETURN(const int wide, product_input(node, i, 16));
      return in_levels(node.name, wide, octaves);
    }
    return Status(ErrorCode::invalid_argument,
                  "no samples say how far the numbers of input '" +
                      graph_.values[static_cast<std::size_t>(node.inputs[i])].name +
                      "' are apart, as 8s asks",
                  "quantize with --samples, or take 8 or 16 activation bits for this layer")
        .at_node(node.name);
  }
  const double most = bits == 8 ? (has.lo >= 0 ? 255 : 127) : 32767;
  if (has.magnitude() <= most) return v;
  const Known& k = known(node.inputs[i]);
  Interval range = has.interval();
  if (k.seen) range = {std::max(range.lo, k.seen->lo), std::min(range.hi, k.seen->hi)};
  if (bits == 8 && k.clip8 > 0) {
    range = {std::max(range.lo, -k.clip8), std::min(range.hi, k.clip8)};
  }
  return rescaled(node.name, v, IntegerFormat::of(range, bits));
}

IntegerFormat IntegerBuilder::choose(ValueId id, Interval range) const {
  const Wish w = wish(id);
  const Known& k = known_[static_cast<std::size_t>(id)];
  if (w == Wish::gate) return IntegerFormat::gate();
  if (w == Wish::state) return IntegerFormat::state();
  if (w == Wish::cell) return IntegerFormat::cell();
  if (w == Wish::states) return IntegerFormat::of(IntegerFormat::cell().interval(), 32);
  if (k.seen && w != Wish::output && w != Wish::wide) {
    range = {std::max(range.lo, k.seen->lo), std::min(range.hi, k.seen->hi)};
  }
  if (w == Wish::bits8) {
    if (k.clip8 > 0) range = {std::max(range.lo, -k.clip8), std::min(range.hi, k.clip8)};
    return IntegerFormat::of(range, 8);
  }
  return IntegerFormat::of(range, w == Wish::bits16 ? 16 : 32);
}

IntegerStep& IntegerBuilder::add_step(const Node& node, const char* kind, std::vector<int> inputs,
                                      std::vector<int> outputs) {
  IntegerStep step;
  step.node = node.name;
  step.kind = kind;
  step.inputs = std::move(inputs);
  step.outputs = std::move(outputs);
  made_->steps_.push_back(std::move(step));
  return made_->steps_.back();
}

void IntegerBuilder::record(const Node& node, const IntegerProduct& product,
                            const IntegerFormat& x) {
  AccumulatorBound bound = product.bound;
  bound.node = node.name;
  bound.activation_bits = x.magnitude() <= 255 ? 8 : 16;
  made_->bounds_.push_back(bound);
}

// Formats of inputs.
Status IntegerBuilder::build_inputs() {
  for (std::size_t i = 0; i < graph_.inputs.size(); ++i) {
    const ValueId id = graph_.inputs[i];
    const Value& value = graph_.values[static_cast<std::size_t>(id)];
    const Wish w = wish(id);
    const bool is_state = w == Wish::state || w == Wish::cell || w == Wish::states;
    IntegerFormat format;
    if (is_float(id)) {
      const auto given = graph_.metadata.find(kInputRangeKey + value.name);
      if (given != graph_.metadata.end() && !is_state) {
        std::istringstream text(given->second);
        Interval range;
        char comma = 0;
        if (!(text >> range.lo >> comma >> range.hi) || comma != ',' || !(range.lo <= range.hi)) {
          return Status(ErrorCode::malformed, "the range of input '" + value.name + "' is none",
                        "make the model anew with 'pbatch quantize'");
        }
        known(id).seen = range;
      }
      if (!known(id).seen && !is_state) {
        return Status(ErrorCode::invalid_argument,
                      "integer arithmetic needs the range of input '" + value.name + "'",
                      kGiveRange)
            .at_node(reader_of(id));
      }
      format = choose(id, known(id).seen.value_or(Interval{-1, 1}));
      if (format.magnitude() > 32767 && !is_state)
        format = IntegerFormat::of(format.interval(), 16);
    }
    known(id).input = static_cast<int>(i);
    made_->inputs_.push_back(add_value(id, format));
  }
  return Status::ok();
}

Result<std::vector<Tensor>> IntegerBuilder::run_node(std::size_t n,
                                                     std::vector<const Tensor*> inputs) {
  const Node& node = graph_.nodes[n];
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i] == nullptr) inputs[i] = constant(node, i);
  }
  std::vector<Tensor> outputs(node.outputs.size());
  PBATCH_RETURN_IF_ERROR(program_.op(n).run(context_, inputs, outputs));
  return outputs;
}

Result<std::shared_ptr<IntegerProgram>> IntegerBuilder::build() {
  PBATCH_ASSIGN_OR_RETURN(const IsaChoice isa, select_isa());
  made_ = std::make_shared<IntegerProgram>();
  made_->file_ = graph_.source_file;
  made_->fns_ = integer_functions_for(isa).fns;
  known_.resize(graph_.values.size());
  wishes_ = wishes_of(graph_, precision_);
  count_readers();
  PBATCH_RETURN_IF_ERROR(read_ranges());
  move_ranges_back();
  PBATCH_RETURN_IF_ERROR(build_inputs());
  find_magnitudes();
  for (std::size_t n = 0; n < graph_.nodes.size(); ++n) {
    const Node& node = graph_.nodes[n];
    const bool folded = std::all_of(node.outputs.begin(), node.outputs.end(), [&](ValueId id) {
      return id == kNoValue || plan_.constant_of(id) != nullptr;
    });
    if (folded) continue;
    if (Status s = build_node(n); !s) return std::move(s).at_node(node.name);
  }
  for (const ValueId id : graph_.outputs) {
    if (known(id).made < 0) {
      return Status(
          ErrorCode::unsupported,
          "output '" + graph_.values[static_cast<std::size_t>(id)].name + "' is a constant",
          "run without integer arithmetic");
    }
    made_->outputs_.push_back(known(id).made);
    made_->output_types_.push_back(plan_.type_of(id)->dtype);
  }
  made_->place_values();
  return std::move(made_);
}

namespace {

// Whether what a network computes depends on numbers that are fed to it.
bool has_control_flow(const Graph& graph) {
  return std::any_of(graph.nodes.begin(), graph.nodes.end(),
                     [](const Node& node) { return !node.subgraphs.empty(); });
}

bool is_fixed(const Tensor& input) {
  return input.raw() != nullptr && input.size() == 1 &&
         (input.dtype() == DType::i64 || input.dtype() == DType::i32);
}

Result<std::shared_ptr<IntegerProgram>> build_planned(const Program& program, RunContext& context,
                                                      const Precision& precision,
                                                      std::span<const Tensor> inputs) {
  PBATCH_ASSIGN_OR_RETURN(const std::shared_ptr<const Plan> plan, program.plan(context, inputs));
  for (const Node& node : program.graph().nodes) {
    for (const ValueId id : node.outputs) {
      if (id == kNoValue || plan->type_of(id)) continue;
      return Status(ErrorCode::unsupported,
                    node.op_type + " has no integer form: its shape depends on data",
                    "run without integer arithmetic")
          .at_node(node.name);
    }
  }
  return IntegerBuilder(program, context, precision, *plan).build();
}

// Makes constants of conditions that follow from the shapes of inputs; whether there was one.
Result<bool> fix_conditions(Graph& graph, RunContext& context, std::span<const Tensor> inputs) {
  if (!has_control_flow(graph)) return false;
  PBATCH_ASSIGN_OR_RETURN(const Program program, Program::build(graph));
  PBATCH_ASSIGN_OR_RETURN(const std::shared_ptr<const Plan> plan, program.plan(context, inputs));
  bool found = false;
  for (const Node& node : graph.nodes) {
    if (node.subgraphs.empty() || node.op_type != "If") continue;
    Value& condition = graph.values[static_cast<std::size_t>(node.inputs[0])];
    const Tensor* const known = plan->constant_of(node.inputs[0]);
    if (known == nullptr || condition.constant) continue;
    condition.constant = *known;
    found = true;
  }
  return found;
}

// The network that an If leaves when its condition is known.
Result<std::shared_ptr<IntegerProgram>> build_fixed(const Program& program, RunContext& context,
                                                    const Precision& precision,
                                                    std::span<const Tensor> inputs) {
  Graph graph = program.graph();
  std::vector<ValueId> left;
  std::vector<Tensor> given;
  std::vector<std::size_t> fixed;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const ValueId id = graph.inputs[i];
    if (is_fixed(inputs[i])) {
      graph.values[static_cast<std::size_t>(id)].constant = inputs[i];
      fixed.push_back(i);
    } else {
      std::vector<Dim> dims;  // what follows from shapes decides, too
      for (const std::int64_t d : inputs[i].shape()) dims.push_back({d, ""});
      graph.values[static_cast<std::size_t>(id)].dims = std::move(dims);
      left.push_back(id);
      given.push_back(inputs[i]);
    }
  }
  graph.inputs = std::move(left);
  while (true) {
    PBATCH_RETURN_IF_ERROR(fold_constants(graph));
    PBATCH_RETURN_IF_ERROR(remove_unused(graph));
    PBATCH_ASSIGN_OR_RETURN(const bool more, fix_conditions(graph, context, given));
    if (!more) break;
  }
  PBATCH_RETURN_IF_ERROR(apply_run_passes(graph));
  PBATCH_ASSIGN_OR_RETURN(const Program inner, Program::build(std::move(graph)));
  PBATCH_ASSIGN_OR_RETURN(auto made, build_planned(inner, context, precision, given));
  for (const std::size_t i : fixed) made->insert_unread_input(i, inputs[i].shape());
  return made;
}

}  // namespace

std::vector<std::int64_t> numbers_that_matter(const Graph& graph, std::span<const Tensor> inputs) {
  std::vector<std::int64_t> numbers;
  for (const Tensor& input : inputs) {
    if (!has_control_flow(graph) || !is_fixed(input)) continue;
    numbers.push_back(input.dtype() == DType::i64 ? input.data<std::int64_t>()[0]
                                                  : input.data<std::int32_t>()[0]);
  }
  return numbers;
}

Result<std::shared_ptr<const IntegerProgram>> build_integer_program(
    const Program& program, RunContext& given, std::span<const Tensor> inputs) {
  const Precision plain = without_8s(given.precision);
  RunContext context{given.pool, given.buffers, plain, given.float_backend};
  auto made = has_control_flow(program.graph())
                  ? build_fixed(program, context, given.precision, inputs)
                  : build_planned(program, context, given.precision, inputs);
  if (!made) return made.status().in_file(program.graph().source_file);
  return std::shared_ptr<const IntegerProgram>(*std::move(made));
}

}  // namespace pbatch
