// Linear layers, convolutions and look-ups of rows.
#include <algorithm>

#include "graph/bit_operators.h"
#include "integer/builder.h"
#include "layout/conv_columns.h"
#include "op/bits/bit_convolution.h"

namespace pbatch {
namespace {

Result<bool> has_relu(const Node& node) {
  PBATCH_ASSIGN_OR_RETURN(const std::string activation, node.string_attr("activation", ""));
  return activation == "relu";
}

// The last three dimensions, ones before them.
void to_three(const std::vector<std::int64_t>& from, std::int32_t fill, std::int32_t to[3]) {
  const std::size_t rank = from.size();
  for (std::size_t d = 0; d < 3; ++d) {
    to[d] = d + rank < 3 ? fill : static_cast<std::int32_t>(from[d + rank - 3]);
  }
}

}  // namespace

pb_windows windows_of(const ConvGeometry& g) {
  pb_windows w = {};
  w.batch = static_cast<std::int32_t>(g.batch);
  w.channels = static_cast<std::int32_t>(g.channels);
  to_three(g.in, 1, w.in);
  to_three(g.out, 1, w.out);
  to_three(g.kernel, 1, w.kernel);
  to_three(g.strides, 1, w.strides);
  to_three(g.dilations, 1, w.dilations);
  to_three(g.pads_begin, 0, w.pads);
  return w;
}

Result<IntegerWeights> IntegerBuilder::weights_of(const Node& node, std::int64_t begin,
                                                  std::int64_t end, const Tensor* floats,
                                                  bool transposed) {
  if (node.matrix != nullptr) {
    return IntegerWeights::of_bits(*node.matrix, precision_.of(node.name).weight_bits, begin, end);
  }
  const std::int64_t all = transposed ? floats->dim(floats->rank() - 1) : floats->dim(0);
  const std::int64_t cols = floats->size() / std::max<std::int64_t>(all, 1);
  if (transposed) {
    // [cols][all]: the rows wanted, turned.
    std::vector<float> rows(static_cast<std::size_t>((end - begin) * cols));
    for (std::int64_t r = begin; r < end; ++r) {
      for (std::int64_t c = 0; c < cols; ++c) {
        rows[static_cast<std::size_t>((r - begin) * cols + c)] = floats->data<float>()[c * all + r];
      }
    }
    return IntegerWeights::of_floats(rows.data(), end - begin, cols, false);
  }
  return IntegerWeights::of_floats(floats->data<float>() + begin * cols, end - begin, cols, false);
}

Status IntegerBuilder::finish_product(const Node& node, IntegerWeights weights, int x,
                                      const Tensor* bias) {
  PBATCH_ASSIGN_OR_RETURN(const bool relu, has_relu(node));
  const IntegerFormat in = format(x);
  IntegerFormat out;
  const auto product = make_integer_product(
      std::move(weights), in, in.interval(), bias != nullptr ? bias->data<float>() : nullptr,
      [&](const Interval& range) { return choose(node.outputs[0], range); }, relu, &out);
  record(node, *product, in);
  const int y = add_value(node.outputs[0], out);
  const std::int64_t vectors =
      made_->values_[static_cast<std::size_t>(y)].count / std::max(1, product->view.rows);
  IntegerStep& step = add_step(node, "product", {x}, {y});
  step.scratch_bytes = pb_packed_bytes(&product->view);
  step.library_bytes = PB_VECTORS * step.scratch_bytes;
  step.run = [product, vectors](const IntegerCall& c) {
    c.fns.linear(c.stepper.multiplier, &product->view, static_cast<std::int32_t>(vectors), c.in[0],
                 c.out[0], c.scratch);
  };
  step.write = [product, vectors](CWriter& w, const IntegerNames& names) {
    w.call("pb_linear(&pb_by_codes, &" + w.product(*product) + ", " + std::to_string(vectors) +
           ", " + names.in[0] + ", " + names.out[0] + ", scratch)");
  };
  return Status::ok();
}

Status IntegerBuilder::build_linear(const Node& node) {
  const int bits = precision_.of(node.name).activation_bits;
  PBATCH_ASSIGN_OR_RETURN(const int x, product_input(node, 0, bits));
  PBATCH_ASSIGN_OR_RETURN(IntegerWeights weights,
                          weights_of(node, 0, node.matrix->rows, nullptr, false));
  return finish_product(node, std::move(weights), x, constant(node, 1));
}

Status IntegerBuilder::build_float_linear(const Node& node) {
  PBATCH_ASSIGN_OR_RETURN(const int x, product_input(node, 0, 16));
  const Tensor& w = *constant(node, 1);
  PBATCH_ASSIGN_OR_RETURN(IntegerWeights weights, weights_of(node, 0, w.dim(1), &w, true));
  return finish_product(node, std::move(weights), x, constant(node, 2));
}

Status IntegerBuilder::build_convolution(const Node& node) {
  const bool bits = node.matrix != nullptr;
  PBATCH_ASSIGN_OR_RETURN(
      const int x, product_input(node, 0, bits ? precision_.of(node.name).activation_bits : 16));
  PBATCH_ASSIGN_OR_RETURN(const WindowAttributes window, read_window_attributes(node));
  const Tensor* const floats = bits ? nullptr : constant(node, 1);
  if (!bits && floats == nullptr) return missing(node, "its weights are no constant");
  const Tensor* const bias = constant(node, bits ? 1 : 2);
  std::vector<std::int64_t> kernel = window.kernel;
  if (!bits) kernel.assign(floats->shape().begin() + 2, floats->shape().end());
  if (kernel.size() > 3) return missing(node, "it has more than three spatial dimensions");
  PBATCH_ASSIGN_OR_RETURN(const ConvGeometry geometry,
                          make_geometry(window, shape_of(node.inputs[0]), kernel));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t groups, node.int_attr("group", 1));
  PBATCH_ASSIGN_OR_RETURN(const bool relu, has_relu(node));
  const std::int64_t rows = (bits ? node.matrix->rows : floats->dim(0)) / groups;
  const std::int64_t taps = geometry.kernel_size(), channels = geometry.channels / groups;
  ConvColumns order = ConvColumns::channels_first;
  if (bits) {
    PBATCH_ASSIGN_OR_RETURN(order, conv_columns(node));
  }
  struct Held {
    pb_convolution view = {};
    std::vector<std::shared_ptr<IntegerProduct>> products;
    std::vector<pb_product> views;
    std::vector<std::int32_t> columns;
  };
  const auto held = std::make_shared<Held>();
  const ConvColumnOrder blocks{channels, taps};
  for (std::int64_t c = 0; c < channels * taps; ++c) {
    const bool plain = order == ConvColumns::channels_first;
    held->columns.push_back(static_cast<std::int32_t>(plain ? c / taps : blocks.channel_of(c)));
    held->columns.push_back(static_cast<std::int32_t>(plain ? c % taps : blocks.tap_of(c)));
  }
  // One format for the results of all groups: that of the widest.
  const IntegerFormat in = format(x);
  Interval range;
  if (groups > 1) {
    for (std::int64_t g = 0; g < groups; ++g) {
      PBATCH_ASSIGN_OR_RETURN(IntegerWeights w,
                              weights_of(node, g * rows, (g + 1) * rows, floats, false));
      IntegerFormat ignored;
      const auto product = make_integer_product(
          std::move(w), in, in.interval(),
          bias != nullptr ? bias->data<float>() + g * rows : nullptr,
          [](const Interval& r) { return IntegerFormat::of(r, 32); }, relu, &ignored);
      const Interval one = product->interval();
      range = {std::min(range.lo, one.lo), std::max(range.hi, one.hi)};
    }
    if (relu) range.lo = std::max(range.lo, 0.0);
  }
  IntegerFormat out;
  for (std::int64_t g = 0; g < groups; ++g) {
    PBATCH_ASSIGN_OR_RETURN(IntegerWeights w,
                            weights_of(node, g * rows, (g + 1) * rows, floats, false));
    held->products.push_back(make_integer_product(
        std::move(w), in, in.interval(), bias != nullptr ? bias->data<float>() + g * rows : nullptr,
        [&](const Interval& r) { return choose(node.outputs[0], groups > 1 ? range : r); }, relu,
        &out));
    held->views.push_back(held->products.back()->view);
    record(node, *held->products.back(), in);
  }
  held->view.windows = windows_of(geometry);
  held->view.groups = static_cast<std::int32_t>(groups);
  held->view.products = held->views.data();
  held->view.columns = held->columns.data();
  const int y = add_value(node.outputs[0], out);
  IntegerStep& step = add_step(node, "convolution", {x}, {y});
  step.scratch_bytes = pb_convolution_scratch(&held->view);
  step.run = [held](const IntegerCall& c) {
    c.fns.convolve(c.stepper.multiplier, &held->view, c.in[0], c.out[0], c.scratch);
  };
  step.write = [held](CWriter& w, const IntegerNames& names) {
    std::string list;
    for (const auto& product : held->products) list += "    " + w.product_fields(*product) + ",\n";
    const std::string products = w.declare("pb_product", list, held->products.size());
    const std::string s =
        w.structure("pb_convolution", CWriter::of(held->view.windows) + ", " +
                                          std::to_string(held->view.groups) + ", " + products +
                                          ", " + w.array(held->columns));
    w.call("pb_convolve(&pb_by_codes, &" + s + ", " + names.in[0] + ", " + names.out[0] +
           ", scratch)");
  };
  return Status::ok();
}

// BitGather, and Gather of rows of a float table.
Status IntegerBuilder::build_lookup(const Node& node) {
  const bool bits = node.matrix != nullptr;
  const std::size_t at = bits ? 0 : 1;
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t axis, node.int_attr("axis", 0));
  const Tensor* const floats = bits ? nullptr : constant(node, 0);
  if (!bits && (axis != 0 || floats->dtype() != DType::f32 || floats->rank() < 1)) {
    return missing(node, "it looks up no rows of a table of floats");
  }
  PBATCH_ASSIGN_OR_RETURN(const int x, operand(node, at));
  if (!format(x).is_index()) return missing(node, "its indices are computed");
  PBATCH_ASSIGN_OR_RETURN(
      IntegerWeights weights,
      weights_of(node, 0, bits ? node.matrix->rows : floats->dim(0), floats, false));
  const int input = known(node.inputs[at]).input;
  if (input >= 0) made_->checks_.push_back({input, -weights.rows, weights.rows - 1, node.name});
  IntegerFormat out;
  struct Held {
    pb_lookup view = {};
    std::shared_ptr<IntegerProduct> table;
  };
  const auto held = std::make_shared<Held>();
  held->table = make_integer_table(
      std::move(weights), [&](const Interval& range) { return choose(node.outputs[0], range); },
      &out);
  held->view = {made_->values_[static_cast<std::size_t>(x)].count, &held->table->view};
  const int y = add_value(node.outputs[0], out);
  IntegerStep& step = add_step(node, "rows", {x}, {y});
  step.run = [held](const IntegerCall& c) { c.fns.lookup(&held->view, c.in[0], c.out[0]); };
  step.write = [held](CWriter& w, const IntegerNames& names) {
    const std::string s = w.structure(
        "pb_lookup", std::to_string(held->view.count) + ", &" + w.product(*held->table));
    w.call(call_text("pb_lookup_run", s, names));
  };
  return Status::ok();
}

}  // namespace pbatch
