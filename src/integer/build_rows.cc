// Pools, reductions, softmax, normalization, and products of two values.
#include <algorithm>
#include <cmath>

#include "integer/builder.h"
#include "integer/dyadic.h"
#include "op/data_checks.h"

namespace pbatch {

pb_windows windows_of(const ConvGeometry& g);

namespace {

struct HeldPool {
  pb_pool view = {};
  std::vector<pb_dyadic> by_count;
};

struct HeldNorm {
  pb_layer_norm view = {};
  std::vector<std::int32_t> gamma;
  std::vector<std::int64_t> beta;
};

struct HeldSoftmax {
  pb_softmax view = {};
  std::vector<std::int32_t> powers;
};

struct HeldMatmul {
  pb_matmul view = {};
  std::vector<std::int32_t> from_a, from_b;
};

std::string limits(std::int32_t lo, std::int32_t hi) {
  return std::to_string(lo) + ", " + std::to_string(hi);
}

// Matrices of a stack of shape `all` that those of `one` stand for, dimensions of 1 repeated.
std::vector<std::int32_t> stack_map(const Shape& one, const Shape& all) {
  std::vector<std::int32_t> map(1, 0);
  std::int64_t stride = 1;
  std::vector<std::int64_t> strides(all.size(), 0);
  for (std::size_t d = 0; d < one.size(); ++d) {
    const std::int64_t extent = one[one.size() - 1 - d];
    strides[all.size() - 1 - d] = extent == 1 ? 0 : stride;
    stride *= extent;
  }
  for (std::size_t d = 0; d < all.size(); ++d) {
    std::vector<std::int32_t> next;
    for (const std::int32_t at : map) {
      for (std::int64_t i = 0; i < all[d]; ++i) {
        next.push_back(at + static_cast<std::int32_t>(i * strides[d]));
      }
    }
    map = std::move(next);
  }
  return map;
}

}  // namespace

Status IntegerBuilder::build_pool(const Node& node, bool average) {
  if (node.outputs.size() > 1 && node.outputs[1] != kNoValue) {
    return missing(node, "it also gives places");
  }
  PBATCH_ASSIGN_OR_RETURN(const int x, operand(node, 0));
  PBATCH_ASSIGN_OR_RETURN(const WindowAttributes window, read_window_attributes(node));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t padding, node.int_attr("count_include_pad", 0));
  if (window.kernel.size() > 3) return missing(node, "it has more than three spatial dimensions");
  if (window.ceil_mode && padding != 0) return missing(node, "ceil_mode with count_include_pad");
  PBATCH_ASSIGN_OR_RETURN(const ConvGeometry geometry,
                          make_geometry(window, shape_of(node.inputs[0]), window.kernel));
  const auto held = std::make_shared<HeldPool>();
  const IntegerFormat in = format(x);
  const IntegerFormat out = average ? choose(node.outputs[0], in.interval()) : in;
  held->view.windows = windows_of(geometry);
  held->view.average = average ? 1 : 0;
  held->view.count_padding = static_cast<std::int32_t>(padding);
  held->view.lo = out.lo;
  held->view.hi = out.hi;
  const std::int64_t taps = geometry.kernel_size();
  for (std::int64_t i = 0; average && i <= taps; ++i) {
    held->by_count.push_back(dyadic_of(i == 0 ? 0 : in.scale / out.scale / static_cast<double>(i),
                                       in.magnitude() * static_cast<double>(taps)));
  }
  held->view.by_count = held->by_count.data();
  const int y = add_value(node.outputs[0], out);
  IntegerStep& step = add_step(node, "pool", {x}, {y});
  step.run = [held](const IntegerCall& c) { c.fns.pool(&held->view, c.in[0], c.out[0]); };
  step.write = [held](CWriter& w, const IntegerNames& names) {
    const pb_pool& p = held->view;
    const std::string s =
        w.structure("pb_pool", CWriter::of(p.windows) + ", " + std::to_string(p.average) + ", " +
                                   w.array(held->by_count) + ", " +
                                   std::to_string(p.count_padding) + ", " + limits(p.lo, p.hi));
    w.call(call_text("pb_pool_run", s, names));
  };
  return Status::ok();
}

Status IntegerBuilder::build_reduce(const Node& node) {
  PBATCH_ASSIGN_OR_RETURN(const int from, operand(node, 0));
  const IntegerValue source = made_->values_[static_cast<std::size_t>(from)];
  if (source.format.is_index()) return missing(node, "it reduces indices");
  const bool global = node.op_type.rfind("Global", 0) == 0;
  std::vector<bool> reduced(source.shape.size(), false);
  PBATCH_ASSIGN_OR_RETURN(std::vector<std::int64_t> axes, node.ints_attr("axes", {}));
  if (const Tensor* given = constant(node, 1)) {
    PBATCH_ASSIGN_OR_RETURN(axes, read_integers(*given, "axes"));
  }
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t no_op, node.int_attr("noop_with_empty_axes", 0));
  if (no_op != 0 && axes.empty() && !global) return missing(node, "it has no axes");
  for (std::size_t d = 0; d < reduced.size(); ++d) reduced[d] = global ? d >= 2 : axes.empty();
  for (const std::int64_t a : axes) {
    const std::int64_t rank = static_cast<std::int64_t>(reduced.size());
    reduced[static_cast<std::size_t>(a < 0 ? a + rank : a)] = true;
  }
  // Elements of a row side by side.
  auto order = std::make_shared<std::vector<std::int32_t>>();
  std::int64_t rows = 1, n = 1;
  for (std::size_t d = 0; d < reduced.size(); ++d) (reduced[d] ? n : rows) *= source.shape[d];
  if (rows * n == 0) return missing(node, "its input is empty");
  for (std::int64_t i = 0; i < rows * n; ++i) {
    std::int64_t row = i / n, column = i % n, place = 0, stride = 1;
    for (std::size_t d = reduced.size(); d-- > 0;) {
      std::int64_t& rest = reduced[d] ? column : row;
      place += rest % source.shape[d] * stride;
      rest /= source.shape[d];
      stride *= source.shape[d];
    }
    order->push_back(static_cast<std::int32_t>(place));
  }
  const int x = add_hidden("", {rows, n}, source.format);
  const auto move = std::make_shared<pb_move>(pb_move{rows * n, order->data()});
  IntegerStep& turn = add_step(node, "move", {from}, {x});
  turn.run = [move, order](const IntegerCall& c) { c.fns.move(move.get(), c.in[0], c.out[0]); };
  turn.write = [move, order](CWriter& w, const IntegerNames& names) {
    const std::string s =
        w.structure("pb_move", std::to_string(move->count) + ", " + w.array(*order));
    w.call(call_text("pb_move_run", s, names));
  };
  const bool greatest = node.op_type == "ReduceMax" || node.op_type == "GlobalMaxPool";
  const bool sum = node.op_type == "ReduceSum";
  Interval range = source.format.interval();
  const double count = static_cast<double>(n);
  if (sum) range = {range.lo * count, range.hi * count};
  const IntegerFormat out = choose(node.outputs[0], range);
  auto args = std::make_shared<pb_reduce>();
  args->rows = static_cast<std::int32_t>(rows);
  args->n = static_cast<std::int32_t>(n);
  args->greatest = greatest ? 1 : 0;
  args->scale = dyadic_of(source.format.scale / out.scale / (greatest || sum ? 1 : count),
                          source.format.magnitude() * count);
  args->lo = out.lo;
  args->hi = out.hi;
  const int y = add_value(node.outputs[0], out);
  IntegerStep& step = add_step(node, "reduce", {x}, {y});
  step.run = [args](const IntegerCall& c) { c.fns.reduce(args.get(), c.in[0], c.out[0]); };
  step.write = [args](CWriter& w, const IntegerNames& names) {
    const std::string s =
        w.structure("pb_reduce", std::to_string(args->rows) + ", " + std::to_string(args->n) +
                                     ", " + std::to_string(args->greatest) + ", " +
                                     CWriter::of(args->scale) + ", " + limits(args->lo, args->hi));
    w.call(call_text("pb_reduce_run", s, names));
  };
  return Status::ok();
}

Status IntegerBuilder::build_softmax(const Node& node) {
  PBATCH_ASSIGN_OR_RETURN(const int x, operand(node, 0));
  const IntegerValue source = made_->values_[static_cast<std::size_t>(x)];
  const std::int64_t rank = static_cast<std::int64_t>(source.shape.size());
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t axis, node.int_attr("axis", node.opset < 13 ? 1 : -1));
  if (rank == 0 || (axis != rank - 1 && axis != -1)) {
    return missing(node, "its axis is not the last one");
  }
  const auto held = std::make_shared<HeldSoftmax>();
  held->view.n = static_cast<std::int32_t>(source.shape.back());
  held->view.rows =
      static_cast<std::int32_t>(source.count / std::max<std::int64_t>(1, held->view.n));
  held->view.to_log2 =
      dyadic_of(source.format.scale * 65536 / std::log(2.0), 2 * source.format.magnitude());
  for (int i = 0; i <= 256; ++i) {
    held->powers.push_back(
        static_cast<std::int32_t>(std::nearbyint(std::ldexp(std::exp2(-i / 256.0), 30))));
  }
  held->view.powers = held->powers.data();
  const int y = add_value(node.outputs[0], {std::ldexp(1.0, -15), 0, 32768});
  known(node.outputs[0]).probabilities = true;
  IntegerStep& step = add_step(node, "softmax", {x}, {y});
  step.run = [held](const IntegerCall& c) { c.fns.softmax(&held->view, c.in[0], c.out[0]); };
  step.write = [held](CWriter& w, const IntegerNames& names) {
    const std::string s = w.structure(
        "pb_softmax", std::to_string(held->view.rows) + ", " + std::to_string(held->view.n) + ", " +
                          CWriter::of(held->view.to_log2) + ", " + w.array(held->powers));
    w.call(call_text("pb_softmax_run", s, names));
  };
  return Status::ok();
}

Status IntegerBuilder::build_layer_norm(const Node& node) {
  PBATCH_ASSIGN_OR_RETURN(const int x, operand_of_16(node, 0));
  const IntegerValue source = made_->values_[static_cast<std::size_t>(x)];
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t axis, node.int_attr("axis", -1));
  PBATCH_ASSIGN_OR_RETURN(const float epsilon, node.float_attr("epsilon", 1e-5F));
  const Tensor* const scale = constant(node, 1);
  const Tensor* const bias = constant(node, 2);
  if (axis != -1 && axis != static_cast<std::int64_t>(source.shape.size()) - 1) {
    return missing(node, "its axis is not the last one");
  }
  const std::int64_t n = source.shape.back();
  if (scale == nullptr || scale->size() != n || (bias != nullptr && bias->size() != n)) {
    return missing(node, "its scale and bias are no constants of its axis");
  }
  if (n > 4096) return missing(node, "its axis has more than 4096 elements");
  if (node.outputs.size() > 1) return missing(node, "it also gives the mean");
  const auto held = std::make_shared<HeldNorm>();
  double most = 1e-9, reach = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    most = std::max(most, std::fabs(static_cast<double>(scale->data<float>()[i])));
  }
  const double gamma = most / 32767, unit = std::ldexp(gamma, -15);
  for (std::int64_t i = 0; i < n; ++i) {
    const double g = static_cast<double>(scale->data<float>()[i]);
    const double b = bias != nullptr ? static_cast<double>(bias->data<float>()[i]) : 0;
    held->gamma.push_back(static_cast<std::int32_t>(std::nearbyint(g / gamma)));
    if (bias != nullptr) held->beta.push_back(std::llround(b / unit));
    reach = std::max(reach, std::sqrt(static_cast<double>(n)) * std::fabs(g) + std::fabs(b));
  }
  const IntegerFormat out = choose(node.outputs[0], {-reach, reach});
  const double in_unit = source.format.scale / 16;
  held->view.rows = static_cast<std::int32_t>(source.count / std::max<std::int64_t>(1, n));
  held->view.n = static_cast<std::int32_t>(n);
  held->view.epsilon = std::llround(
      std::min(static_cast<double>(epsilon) / (in_unit * in_unit), std::ldexp(1.0, 43)));
  held->view.gamma = held->gamma.data();
  held->view.beta = held->beta.empty() ? nullptr : held->beta.data();
  held->view.scale = dyadic_of(unit / out.scale, reach / unit * 1.01);
  held->view.lo = out.lo;
  held->view.hi = out.hi;
  const int y = add_value(node.outputs[0], out);
  IntegerStep& step = add_step(node, "layer normalization", {x}, {y});
  step.run = [held](const IntegerCall& c) { c.fns.layer_norm(&held->view, c.in[0], c.out[0]); };
  step.write = [held](CWriter& w, const IntegerNames& names) {
    const pb_layer_norm& a = held->view;
    const std::string s =
        w.structure("pb_layer_norm", std::to_string(a.rows) + ", " + std::to_string(a.n) +
                                         ", INT64_C(" + std::to_string(a.epsilon) + "), " +
                                         w.array(held->gamma) + ", " + w.array(held->beta) + ", " +
                                         CWriter::of(a.scale) + ", " + limits(a.lo, a.hi));
    w.call(call_text("pb_layer_norm_run", s, names));
  };
  return Status::ok();
}

Status IntegerBuilder::build_matmul(const Node& node) {
  PBATCH_ASSIGN_OR_RETURN(const int a, operand_of_16(node, 0));
  PBATCH_ASSIGN_OR_RETURN(const int b, operand_of_16(node, 1));
  const IntegerValue left = made_->values_[static_cast<std::size_t>(a)];
  const IntegerValue right = made_->values_[static_cast<std::size_t>(b)];
  if (left.shape.size() < 2 || right.shape.size() < 2) return missing(node, "it has a vector");
  const Shape shape = shape_of(node.outputs[0]);
  const Shape stack(shape.begin(), shape.end() - 2);
  const auto held = std::make_shared<HeldMatmul>();
  held->from_a = stack_map({left.shape.begin(), left.shape.end() - 2}, stack);
  held->from_b = stack_map({right.shape.begin(), right.shape.end() - 2}, stack);
  pb_matmul& m = held->view;
  m.count = static_cast<std::int32_t>(held->from_a.size());
  m.m = static_cast<std::int32_t>(left.shape[left.shape.size() - 2]);
  m.k = static_cast<std::int32_t>(left.shape.back());
  m.n = static_cast<std::int32_t>(right.shape.back());
  m.from_a = held->from_a.data();
  m.from_b = held->from_b.data();
  // Means, where rows of the left side sum to 1.
  const Interval a_range = left.format.interval(), b_range = right.format.interval();
  const double most = a_range.magnitude() * b_range.magnitude() * m.k;
  const IntegerFormat out = choose(
      node.outputs[0], known(node.inputs[0]).probabilities ? b_range : Interval{-most, most});
  m.scale = dyadic_of(left.format.scale * right.format.scale / out.scale,
                      left.format.magnitude() * right.format.magnitude() * m.k);
  m.lo = out.lo;
  m.hi = out.hi;
  const int y = add_value(node.outputs[0], out);
  IntegerStep& step = add_step(node, "product of values", {a, b}, {y});
  step.run = [held](const IntegerCall& c) {
    c.fns.matmul(&held->view, c.in[0], c.in[1], c.out[0]);
  };
  step.write = [held](CWriter& w, const IntegerNames& names) {
    const pb_matmul& s = held->view;
    std::string fields;
    for (const std::int32_t v : {s.count, s.m, s.k, s.n}) fields += std::to_string(v) + ", ";
    const std::string name =
        w.structure("pb_matmul", fields + w.array(held->from_a) + ", " + w.array(held->from_b) +
                                     ", " + CWriter::of(s.scale) + ", " + limits(s.lo, s.hi));
    w.call(call_text("pb_matmul_run", name, names));
  };
  return Status::ok();
}

}  // namespace pbatch
