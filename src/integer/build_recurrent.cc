// Recurrent layers: gates and cell states of 2^-20, states of 2^-15.
#include <algorithm>
#include <cmath>

#include "integer/builder.h"
#include "op/recurrent/recurrent_spec.h"

namespace pbatch {
namespace {

struct HeldRecurrent {
  pb_recurrent view = {};
  std::shared_ptr<IntegerProduct> product, second;
  std::vector<std::int32_t> r_bias, peephole;
};

Result<std::int32_t> gate_function(const CellActivation& activation, const Node& node) {
  if (activation.function == CellFunction::sigmoid) return 0;
  if (activation.function == CellFunction::tanh) return 1;
  return Status(ErrorCode::unsupported,
                node.op_type +
                    " has no integer form here: a gate's function is neither sigmoid "
                    "nor tanh",
                "run without integer arithmetic");
}

std::int32_t code_of(double x, double scale, double most) {
  return static_cast<std::int32_t>(std::clamp(std::nearbyint(x / scale), -most, most));
}

}  // namespace

Status IntegerBuilder::build_recurrent(const Node& node) {
  const bool bits = node.matrix != nullptr;
  const std::size_t first = bits ? 1 : 2;
  PBATCH_ASSIGN_OR_RETURN(const std::string cell, node.string_attr("cell", ""));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t index, node.int_attr("direction_index", 0));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t layout, node.int_attr("layout", 0));
  PBATCH_ASSIGN_OR_RETURN(const std::string direction, node.string_attr("direction", "forward"));
  PBATCH_ASSIGN_OR_RETURN(const RecurrentSpec spec,
                          read_recurrent_spec(node, cell, static_cast<int>(index)));
  const GateTiles& gates = spec.gates;
  const std::int64_t hidden = gates.hidden, padded = gates.padded();
  const int activation_bits = bits ? precision_.of(node.name).activation_bits : 16;

  PBATCH_ASSIGN_OR_RETURN(const int x, operand_as(node, 0, IntegerFormat::gate()));
  PBATCH_ASSIGN_OR_RETURN(const int lengths, operand(node, first + 1));
  PBATCH_ASSIGN_OR_RETURN(const int h0, operand_as(node, first + 2, IntegerFormat::state()));
  PBATCH_ASSIGN_OR_RETURN(const int c0, operand_as(node, first + 3, IntegerFormat::cell()));
  const Shape x_shape = shape_of(node.inputs[0]);
  const auto held = std::make_shared<HeldRecurrent>();
  pb_recurrent& r = held->view;
  r.cell = gates.cell == CellType::lstm ? PB_LSTM : gates.cell == CellType::gru ? PB_GRU : PB_RNN;
  r.steps = static_cast<std::int32_t>(x_shape[layout == 1 ? 1 : 0]);
  r.batch = static_cast<std::int32_t>(x_shape[layout == 1 ? 0 : 1]);
  r.hidden = static_cast<std::int32_t>(hidden);
  const std::int64_t rows = gates.rows();
  r.x_step = layout == 1 ? rows : r.batch * rows;
  r.x_vector = layout == 1 ? r.steps * rows : rows;
  r.y_step = layout == 1 ? hidden : r.batch * hidden;
  r.y_vector = layout == 1 ? r.steps * hidden : hidden;
  const std::int64_t directions = direction == "bidirectional" ? 2 : 1;
  r.initial_vector = layout == 1 ? directions * hidden : hidden;
  const std::int64_t start = index * (layout == 1 ? hidden : r.batch * hidden);
  r.last_vector = hidden;
  r.reverse = spec.reverse ? 1 : 0;
  r.couple_forget = spec.couple_forget ? 1 : 0;
  r.linear_before_reset = gates.linear_before_reset ? 1 : 0;
  for (int i = 0; i < (r.cell == PB_LSTM ? 3 : r.cell == PB_GRU ? 2 : 1); ++i) {
    PBATCH_ASSIGN_OR_RETURN(r.functions[i],
                            gate_function(spec.activations[static_cast<std::size_t>(i)], node));
  }
  const IntegerFormat gate = IntegerFormat::gate();
  r.clip = std::isfinite(spec.clip) ? code_of(static_cast<double>(spec.clip), gate.scale, gate.hi)
                                    : gate.hi;
  // With 8s, too: a bound of 1 leaves nothing to squeeze.
  r.state_shift = activation_bits != 16 ? 8 : 0;

  const IntegerFormat state = activation_bits != 16 ? IntegerFormat{std::ldexp(1.0, -7), -127, 127}
                                                    : IntegerFormat::state();
  const Tensor* const floats = bits ? nullptr : constant(node, 1);
  const std::int64_t part = gates.two_parts() ? 2 * padded : rows;
  IntegerFormat ignored;
  // One less than what is added to it: a sum fits 32 bits.
  const IntegerFormat below{gate.scale, 1 - gate.hi, gate.hi - 1};
  const auto to_gate = [&](const Interval&) { return below; };
  PBATCH_ASSIGN_OR_RETURN(IntegerWeights w, weights_of(node, 0, part, floats, true));
  held->product =
      make_integer_product(std::move(w), state, {-1, 1}, nullptr, to_gate, false, &ignored);
  record(node, *held->product, state);
  r.product = &held->product->view;
  if (gates.two_parts()) {
    PBATCH_ASSIGN_OR_RETURN(IntegerWeights second, weights_of(node, part, rows, floats, true));
    held->second =
        make_integer_product(std::move(second), state, {-1, 1}, nullptr, to_gate, false, &ignored);
    record(node, *held->second, state);
    r.second = &held->second->view;
  }
  if (const Tensor* b = constant(node, first)) {
    for (std::int64_t u = 0; u < padded; ++u) {
      held->r_bias.push_back(
          code_of(static_cast<double>(b->data<float>()[u]), gate.scale, below.hi));
    }
    r.r_bias = held->r_bias.data();
  }
  if (const Tensor* p = constant(node, first + 4)) {
    double most = 1e-9;
    for (std::int64_t u = 0; u < p->size(); ++u) {
      most = std::max(most, std::fabs(static_cast<double>(p->data<float>()[u])));
    }
    int exponent = 0;  // 15 bits for the greatest
    std::frexp(most, &exponent);
    const int fraction = std::clamp(15 - exponent, 0, 30);
    for (std::int64_t u = 0; u < p->size(); ++u) {
      held->peephole.push_back(code_of(static_cast<double>(p->data<float>()[u]),
                                       std::ldexp(1.0, -fraction), 2147483647.0));
    }
    r.peephole = held->peephole.data();
    r.peephole_shift = fraction;
  }
  if (lengths >= 0) {
    const int input = known(node.inputs[first + 1]).input;
    if (input >= 0) made_->checks_.push_back({input, 0, r.steps, node.name});
  }
  const auto output = [&](std::size_t i, const IntegerFormat& f) {
    return i < node.outputs.size() ? add_value(node.outputs[i], f) : -1;
  };
  const int y = output(0, IntegerFormat::state()), last_h = output(1, IntegerFormat::state());
  const int last_c = r.cell == PB_LSTM ? output(2, IntegerFormat::cell()) : -1;
  IntegerStep& step = add_step(node, "recurrent", {x, lengths, h0, c0}, {y, last_h, last_c});
  step.scratch_bytes = pb_recurrent_scratch(&r);
  step.run = [held, start](const IntegerCall& c) {
    const pb_recurrent_data data = {c.in[0],
                                    c.in[1],
                                    c.in[2] != nullptr ? c.in[2] + start : nullptr,
                                    c.in[3] != nullptr ? c.in[3] + start : nullptr,
                                    c.out[0],
                                    c.out[1],
                                    c.out[2]};
    c.fns.recurrent(&c.stepper, &held->view, &data, c.scratch);
  };
  step.write = [held, start](CWriter& writer, const IntegerNames& names) {
    const pb_recurrent& a = held->view;
    const auto number = [](std::int64_t v) { return std::to_string(v) + ", "; };
    std::string fields;
    for (const std::int64_t v :
         {std::int64_t{a.cell}, std::int64_t{a.steps}, std::int64_t{a.batch},
          std::int64_t{a.hidden}, a.x_step, a.x_vector, a.y_step, a.y_vector, a.initial_vector,
          a.last_vector, std::int64_t{a.reverse}, std::int64_t{a.couple_forget},
          std::int64_t{a.linear_before_reset}}) {
      fields += number(v);
    }
    fields += "{" + number(a.functions[0]) + number(a.functions[1]) +
              std::to_string(a.functions[2]) + "}, " + number(a.clip) + number(a.state_shift) +
              "&" + writer.product(*held->product) + ", " +
              (held->second != nullptr ? "&" + writer.product(*held->second) : "0") + ", " +
              writer.array(held->r_bias) + ", " + writer.array(held->peephole) + ", " +
              std::to_string(a.peephole_shift);
    const std::string s = writer.structure("pb_recurrent", fields);
    const auto shifted = [&](const std::string& name) {
      return name == "0" || start == 0 ? name : name + " + " + std::to_string(start);
    };
    writer.call("{ pb_recurrent_data d; d.x = " + names.in[0] + "; d.lengths = " + names.in[1] +
                "; d.initial_h = " + shifted(names.in[2]) +
                "; d.initial_c = " + shifted(names.in[3]) + "; d.y = " + names.out[0] +
                "; d.last_h = " + names.out[1] + "; d.last_c = " + names.out[2] +
                "; pb_recurrent_run(&pb_plain_steps, &" + s + ", &d, scratch); }");
  };
  return Status::ok();
}

}  // namespace pbatch
