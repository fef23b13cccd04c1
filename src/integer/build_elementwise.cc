// Elementwise steps and movement.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "integer/builder.h"
#include "integer/dyadic.h"

namespace pbatch {
namespace {

constexpr std::int64_t kMostMoved = std::int64_t{1} << 24;  // elements whose numbers floats hold

// Which element of an input of shape `from` each element of a result of shape `to` reads; empty:
// its own.
std::vector<std::int32_t> broadcast_map(const Shape& from, const Shape& to) {
  std::int64_t count = 1;
  for (const std::int64_t d : to) count *= d;
  if (from == to) return {};
  std::vector<std::int32_t> map(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i) {
    std::int64_t rest = i, place = 0, stride = 1;
    for (std::size_t d = 0; d < to.size(); ++d) {
      const std::size_t axis = to.size() - 1 - d;
      const std::int64_t at = rest % to[axis];
      rest /= to[axis];
      if (d >= from.size()) continue;
      const std::int64_t extent = from[from.size() - 1 - d];
      place += (extent == 1 ? 0 : at) * stride;
      stride *= extent;
    }
    map[static_cast<std::size_t>(i)] = static_cast<std::int32_t>(place);
  }
  return map;
}

struct HeldBinary {
  pb_binary view = {};
  std::vector<std::int32_t> from_a, from_b;
};

struct HeldTable {
  pb_table view = {};
  std::vector<std::int32_t> entries;
};

struct HeldMove {
  pb_move view = {};
  std::vector<std::int32_t> from;
};

// 1, 2, 3 ... of a shape: what is left of them tells where elements went; 0 is none of them.
Result<Tensor> numbered(const Shape& shape, std::int64_t first) {
  PBATCH_ASSIGN_OR_RETURN(Tensor t, Tensor::create(DType::f32, shape));
  for (std::int64_t i = 0; i < t.size(); ++i) {
    t.mutable_data<float>()[i] = static_cast<float>(first + i + 1);
  }
  return t;
}

std::string move_fields(const HeldMove& held, CWriter& w) {
  return std::to_string(held.view.count) + ", " + w.array(held.from);
}

}  // namespace

Status IntegerBuilder::build_binary(const Node& node, int kind, bool subtract) {
  if (node.inputs.size() != 2) return missing(node, "it has not two inputs");
  const bool square = node.op_type == "Pow";  // by 2
  if (!is_float(node.outputs[0])) return missing(node, "it computes no floats");
  PBATCH_ASSIGN_OR_RETURN(int a, operand(node, 0));
  PBATCH_ASSIGN_OR_RETURN(int b, operand(node, square ? 0 : 1));
  if (format(a).is_index() || format(b).is_index()) return missing(node, "it reads indices");
  // A product of codes of 32 and of 16 bits leaves 16 for what it is scaled by.
  if (kind == PB_MULTIPLY && format(a).magnitude() > 32767 && format(b).magnitude() > 32767) {
    PBATCH_ASSIGN_OR_RETURN(b, operand_of_16(node, square ? 0 : 1));
    if (square) a = b;
  }
  const IntegerFormat fa = format(a), fb = format(b);
  const Interval left = fa.interval(), right = fb.interval();
  Interval range;
  if (kind == PB_MULTIPLY) {
    const double ends[] = {left.lo * right.lo, left.lo * right.hi, left.hi * right.lo,
                           left.hi * right.hi};
    range = {square ? 0 : *std::min_element(ends, ends + 4), *std::max_element(ends, ends + 4)};
  } else if (kind == PB_ADD) {
    range = subtract ? Interval{left.lo - right.hi, left.hi - right.lo}
                     : Interval{left.lo + right.lo, left.hi + right.hi};
  } else {
    range = {std::min(left.lo, right.lo), std::max(left.hi, right.hi)};
  }
  const IntegerFormat out = choose(node.outputs[0], range);
  const auto held = std::make_shared<HeldBinary>();
  pb_binary& v = held->view;
  const Shape shape = shape_of(node.outputs[0]);
  v.kind = kind;
  v.lo = out.lo;
  v.hi = out.hi;
  held->from_a = broadcast_map(made_->values_[static_cast<std::size_t>(a)].shape, shape);
  held->from_b = broadcast_map(made_->values_[static_cast<std::size_t>(b)].shape, shape);
  v.from_a = held->from_a.empty() ? nullptr : held->from_a.data();
  v.from_b = held->from_b.empty() ? nullptr : held->from_b.data();
  if (kind == PB_MULTIPLY) {
    v.scale = dyadic_of(fa.scale * fb.scale / out.scale, fa.magnitude() * fb.magnitude());
  } else {
    // Both of one shift: that of the greater.
    const double ra = fa.scale / out.scale, rb = fb.scale / out.scale;
    const int shift = dyadic_of(std::max(ra, rb), 1 << 16).shift;
    v.by_a = static_cast<std::int32_t>(std::nearbyint(std::ldexp(ra, shift)));
    v.by_b = static_cast<std::int32_t>(std::nearbyint(std::ldexp(rb, shift)));
    if (subtract) v.by_b = -v.by_b;
    v.scale = {1, shift};
  }
  const int y = add_value(node.outputs[0], out);
  v.count = made_->values_[static_cast<std::size_t>(y)].count;
  IntegerStep& step = add_step(node, "elementwise", {a, b}, {y});
  step.run = [held](const IntegerCall& c) {
    c.fns.binary(&held->view, c.in[0], c.in[1], c.out[0]);
  };
  step.write = [held](CWriter& w, const IntegerNames& names) {
    const pb_binary& s = held->view;
    const std::string name =
        w.structure("pb_binary", std::to_string(s.count) + ", " + std::to_string(s.kind) + ", " +
                                     w.array(held->from_a) + ", " + w.array(held->from_b) + ", " +
                                     std::to_string(s.by_a) + ", " + std::to_string(s.by_b) + ", " +
                                     CWriter::of(s.scale) + ", " + std::to_string(s.lo) + ", " +
                                     std::to_string(s.hi));
    w.call(call_text("pb_binary_run", name, names));
  };
  return Status::ok();
}

// By a constant: a product with what it is one over.
Status IntegerBuilder::build_divide(const Node& node) {
  const Tensor* const by = constant(node, 1);
  if (by == nullptr || by->dtype() != DType::f32)
    return missing(node, "its divisor is no constant");
  std::vector<std::int32_t> codes;
  double most = 0;
  for (std::int64_t i = 0; i < by->size(); ++i) {
    const double d = static_cast<double>(by->data<float>()[i]);
    if (d == 0 || !std::isfinite(d)) return missing(node, "it divides by zero");
    most = std::max(most, std::fabs(1 / d));
  }
  const IntegerFormat f = IntegerFormat::of({-most, most}, 16);
  for (std::int64_t i = 0; i < by->size(); ++i) {
    codes.push_back(static_cast<std::int32_t>(
        std::nearbyint(1 / static_cast<double>(by->data<float>()[i]) / f.scale)));
  }
  known(node.inputs[1]).made = add_constant("", by->shape(), f, std::move(codes));
  const Status built = build_binary(node, PB_MULTIPLY, false);
  known(node.inputs[1]).made = -1;  // other readers want the divisor
  return built;
}

Status IntegerBuilder::build_relu(const Node& node) {
  PBATCH_ASSIGN_OR_RETURN(const int x, operand(node, 0));
  const Interval range = format(x).interval();
  IntegerFormat out = choose(node.outputs[0], {0, std::max(range.hi, 0.0)});
  const int made = rescaled(node.name, x, {out.scale, std::max(out.lo, 0), out.hi});
  made_->values_[static_cast<std::size_t>(made)].name =
      graph_.values[static_cast<std::size_t>(node.outputs[0])].name;
  known(node.outputs[0]).made = made;
  return Status::ok();
}

Status IntegerBuilder::build_sqrt(const Node& node) {
  PBATCH_ASSIGN_OR_RETURN(const int x, operand(node, 0));
  const IntegerFormat in = format(x);
  if (in.is_index() || in.lo < 0) return missing(node, "its input can be negative");
  const IntegerFormat out = choose(node.outputs[0], {0, std::sqrt(in.hi * in.scale)});
  auto args = std::make_shared<pb_rescale>();
  const int y = add_value(node.outputs[0], out);
  args->count = made_->values_[static_cast<std::size_t>(y)].count;
  args->scale = dyadic_of(std::sqrt(std::ldexp(in.scale, -30)) / out.scale,
                          std::sqrt(std::ldexp(in.magnitude(), 30)));
  args->lo = out.lo;
  args->hi = out.hi;
  IntegerStep& step = add_step(node, "square root", {x}, {y});
  step.run = [args](const IntegerCall& c) { c.fns.sqrt(args.get(), c.in[0], c.out[0]); };
  step.write = [args](CWriter& w, const IntegerNames& names) {
    const std::string s = w.structure(
        "pb_rescale", std::to_string(args->count) + ", " + CWriter::of(args->scale) + ", " +
                          std::to_string(args->lo) + ", " + std::to_string(args->hi));
    w.call(call_text("pb_sqrt_run", s, names));
  };
  return Status::ok();
}

// The float operator says what the function is, at points that are closer together the more it
// bends.
Status IntegerBuilder::build_unary(std::size_t n) {
  const Node& node = graph_.nodes[n];
  for (std::size_t i = 1; i < node.inputs.size(); ++i) {
    if (node.inputs[i] == kNoValue) continue;
    const Tensor* const c = constant(node, i);
    if (c == nullptr || c->size() != 1) return missing(node, "it is no function of one number");
  }
  PBATCH_ASSIGN_OR_RETURN(const int x, operand_of_16(node, 0));
  const IntegerFormat in = format(x);
  const std::int32_t span = in.hi - in.lo;
  const auto points = [&](int shift, int half) -> Result<std::vector<double>> {
    const std::int64_t count = (span >> shift) + 2;
    PBATCH_ASSIGN_OR_RETURN(Tensor t, Tensor::create(DType::f32, {count}));
    for (std::int64_t i = 0; i < count; ++i) {
      const double code = in.lo + static_cast<double>((i << shift) + (half << shift) / 2);
      t.mutable_data<float>()[i] = static_cast<float>(code * in.scale);
    }
    PBATCH_ASSIGN_OR_RETURN(const std::vector<Tensor> made, run_node(n, [&] {
                              std::vector<const Tensor*> inputs(node.inputs.size(), nullptr);
                              inputs[0] = &t;
                              return inputs;
                            }()));
    std::vector<double> values;
    for (std::int64_t i = 0; i < count; ++i) {
      values.push_back(static_cast<double>(made[0].data<float>()[i]));
    }
    return values;
  };
  const auto held = std::make_shared<HeldTable>();
  IntegerFormat out;
  // The widest distance whose lines stay within half a step of the result, or 4.
  for (int shift = span > 1024 ? 7 : 0;; --shift) {
    PBATCH_ASSIGN_OR_RETURN(const std::vector<double> at, points(shift, 0));
    Interval range{at[0], at[0]};
    for (std::size_t i = 0; i + 1 < at.size(); ++i) {
      if (!std::isfinite(at[i])) {
        return missing(node, "it is not finite for every number that its input can be");
      }
      range = {std::min(range.lo, at[i]), std::max(range.hi, at[i])};
    }
    out = choose(node.outputs[0], range);
    double worst = 0;
    if (shift > 2) {
      PBATCH_ASSIGN_OR_RETURN(const std::vector<double> between, points(shift, 1));
      for (std::size_t i = 0; i + 2 < at.size(); ++i) {
        worst = std::max(worst, std::fabs(between[i] - (at[i] + at[i + 1]) / 2));
      }
    }
    if (worst > out.scale / 2) continue;
    for (const double v : at) {
      held->entries.push_back(static_cast<std::int32_t>(
          std::isfinite(v)
              ? std::clamp(std::nearbyint(v / out.scale), double(out.lo), double(out.hi))
              : held->entries.back()));
    }
    held->view.shift = shift;
    break;
  }
  held->view.first = in.lo;
  held->view.last = in.hi;
  held->view.entries = held->entries.data();
  const int y = add_value(node.outputs[0], out);
  held->view.count = made_->values_[static_cast<std::size_t>(y)].count;
  IntegerStep& step = add_step(node, "table", {x}, {y});
  step.run = [held](const IntegerCall& c) { c.fns.table(&held->view, c.in[0], c.out[0]); };
  step.write = [held](CWriter& w, const IntegerNames& names) {
    const pb_table& t = held->view;
    const std::string s =
        w.structure("pb_table", std::to_string(t.count) + ", " + std::to_string(t.first) + ", " +
                                    std::to_string(t.last) + ", " + std::to_string(t.shift) + ", " +
                                    w.array(held->entries));
    w.call(call_text("pb_table_run", s, names));
  };
  return Status::ok();
}

Status IntegerBuilder::build_movement(std::size_t n) {
  const Node& node = graph_.nodes[n];
  PBATCH_ASSIGN_OR_RETURN(const int x, operand(node, 0));
  const IntegerValue source = made_->values_[static_cast<std::size_t>(x)];
  if (source.count >= kMostMoved) return missing(node, "it moves more than 2^24 elements");
  if (node.op_type == "Cast" && is_float(node.outputs[0]) != is_float(node.inputs[0])) {
    return missing(node, "it makes indices of numbers, or the reverse");
  }
  // Of indices, too: what the operator does to floats.
  PBATCH_ASSIGN_OR_RETURN(const Tensor numbers, numbered(source.shape, 0));
  std::vector<const Tensor*> inputs(node.inputs.size(), nullptr);
  inputs[0] = &numbers;
  for (std::size_t i = 1; i < inputs.size(); ++i) {
    if (node.inputs[i] != kNoValue && constant(node, i) == nullptr) {
      return missing(node, "where elements go depends on data");
    }
  }
  PBATCH_ASSIGN_OR_RETURN(const std::vector<Tensor> moved, run_node(n, inputs));
  for (std::size_t o = 0; o < node.outputs.size(); ++o) {
    if (node.outputs[o] == kNoValue) continue;
    if (plan_.type_of(node.outputs[o])->dtype == DType::boolean) continue;  // Dropout's mask
    const auto held = std::make_shared<HeldMove>();
    bool same = moved[o].size() == source.count;
    for (std::int64_t i = 0; i < moved[o].size(); ++i) {
      const auto from = static_cast<std::int64_t>(moved[o].data<float>()[i]) - 1;
      if (from >= source.count || static_cast<float>(from + 1) != moved[o].data<float>()[i]) {
        return missing(node, "it does more than move elements");
      }
      same = same && from == i;
      held->from.push_back(static_cast<std::int32_t>(from));
    }
    const int y = add_value(node.outputs[o], source.format);
    known(node.outputs[o]).input = known(node.inputs[0]).input;
    held->view = {moved[o].size(), held->from.data()};
    IntegerStep& step = add_step(node, same ? "copy" : "move", {x}, {y});
    if (same) {
      const std::int64_t count = source.count;
      step.run = [count](const IntegerCall& c) { std::copy_n(c.in[0], count, c.out[0]); };
      step.write = [count](CWriter& w, const IntegerNames& names) {
        w.call("memcpy(" + names.out[0] + ", " + names.in[0] + ", " + std::to_string(4 * count) +
               ")");
      };
      continue;
    }
    step.run = [held](const IntegerCall& c) { c.fns.move(&held->view, c.in[0], c.out[0]); };
    step.write = [held](CWriter& w, const IntegerNames& names) {
      w.call(call_text("pb_move_run", w.structure("pb_move", move_fields(*held, w)), names));
    };
  }
  return Status::ok();
}

Status IntegerBuilder::build_concat(std::size_t n) {
  const Node& node = graph_.nodes[n];
  Interval range;
  std::vector<Tensor> numbers;
  std::vector<std::int64_t> first;
  std::int64_t total = 0;
  bool index = false;
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    PBATCH_ASSIGN_OR_RETURN(const int v, operand(node, i));
    const IntegerValue& value = made_->values_[static_cast<std::size_t>(v)];
    const Interval one = value.format.interval();
    index = index || value.format.is_index();
    range = {std::min(range.lo, one.lo), std::max(range.hi, one.hi)};
    PBATCH_ASSIGN_OR_RETURN(Tensor t, numbered(value.shape, total));
    first.push_back(total);
    total += value.count;
    numbers.push_back(std::move(t));
  }
  if (total >= kMostMoved) return missing(node, "it moves more than 2^24 elements");
  if (index) return missing(node, "it joins indices");
  // Where all parts have one format already, such as two directions of states, it stays.
  IntegerFormat out = choose(node.outputs[0], range);
  const IntegerFormat of_first = format(known(node.inputs[0]).made);
  bool alike = true;
  for (const ValueId id : node.inputs) alike = alike && format(known(id).made) == of_first;
  if (alike) out = of_first;
  std::vector<int> parts;
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    PBATCH_ASSIGN_OR_RETURN(const int v, operand_as(node, i, out));
    parts.push_back(v);
  }
  std::vector<const Tensor*> inputs;
  for (const Tensor& t : numbers) inputs.push_back(&t);
  PBATCH_ASSIGN_OR_RETURN(const std::vector<Tensor> joined, run_node(n, inputs));
  std::vector<std::int32_t> to(static_cast<std::size_t>(total));
  for (std::int64_t i = 0; i < total; ++i) {
    to[static_cast<std::size_t>(joined[0].data<float>()[i]) - 1] = static_cast<std::int32_t>(i);
  }
  const int y = add_value(node.outputs[0], out);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const auto held = std::make_shared<HeldMove>();
    const auto begin = to.begin() + static_cast<std::ptrdiff_t>(first[i]);
    held->from.assign(begin, begin + static_cast<std::ptrdiff_t>(numbers[i].size()));
    held->view = {numbers[i].size(), held->from.data()};
    IntegerStep& step = add_step(node, "place", {parts[i]}, {y});
    step.run = [held](const IntegerCall& c) { c.fns.place(&held->view, c.in[0], c.out[0]); };
    step.write = [held](CWriter& w, const IntegerNames& names) {
      w.call(call_text("pb_place_run", w.structure("pb_move", move_fields(*held, w)), names));
    };
  }
  return Status::ok();
}

}  // namespace pbatch
