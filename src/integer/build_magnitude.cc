// Magnitudes of pairs, as spectra are made of: sqrt(x^2 + y^2) in one step. Taken apart, squares
// would keep half of the bits of x.
#include <algorithm>
#include <cmath>

#include "integer/builder.h"
#include "integer/dyadic.h"

namespace pbatch {

// What v is the square of, if nothing else reads v.
ValueId IntegerBuilder::square_root_of(ValueId v) const {
  if (v == kNoValue || readers_[static_cast<std::size_t>(v)] != 1) return kNoValue;
  const std::int32_t n = producers_[static_cast<std::size_t>(v)];
  if (n < 0) return kNoValue;
  const Node& node = graph_.nodes[static_cast<std::size_t>(n)];
  if (!node.domain.empty() || node.inputs.size() != 2) return kNoValue;
  const bool times_itself = node.op_type == "Mul" && node.inputs[0] == node.inputs[1];
  const bool is_square = times_itself || (node.op_type == "Pow" && is_two(constant(node, 1)));
  return is_square && is_float(node.inputs[0]) ? node.inputs[0] : kNoValue;
}

void IntegerBuilder::find_magnitudes() {
  for (std::size_t n = 0; n < graph_.nodes.size(); ++n) {
    const Node& root = graph_.nodes[n];
    if (!root.domain.empty() || root.op_type != "Sqrt") continue;
    const ValueId sum = root.inputs[0];
    const std::int32_t at = producers_[static_cast<std::size_t>(sum)];
    if (at < 0 || readers_[static_cast<std::size_t>(sum)] != 1) continue;
    const Node& add = graph_.nodes[static_cast<std::size_t>(at)];
    if (!add.domain.empty() || add.op_type != "Add") continue;
    const ValueId a = square_root_of(add.inputs[0]);
    const ValueId b = square_root_of(add.inputs[1]);
    if (a == kNoValue || b == kNoValue || shape_of(a) != shape_of(b)) continue;
    if (plan_.constant_of(a) != nullptr || plan_.constant_of(b) != nullptr) continue;
    magnitudes_[n] = {a, b};
    within_magnitudes_.insert(static_cast<std::size_t>(at));
    for (const ValueId square : add.inputs) {
      within_magnitudes_.insert(
          static_cast<std::size_t>(producers_[static_cast<std::size_t>(square)]));
    }
  }
}

Status IntegerBuilder::build_magnitude(const Node& node, ValueId a, ValueId b) {
  int x = known(a).made, y = known(b).made;
  if (format(x).is_index() || format(y).is_index()) return missing(node, "it reads indices");
  const IntegerFormat fx = format(x), fy = format(y);
  if (fx.scale != fy.scale) {
    const Interval range{std::min(fx.lo * fx.scale, fy.lo * fy.scale),
                         std::max(fx.hi * fx.scale, fy.hi * fy.scale)};
    const IntegerFormat both = IntegerFormat::of(range, 32);
    x = rescaled(node.name, x, both);
    y = rescaled(node.name, y, both);
  }
  const double scale = format(x).scale;
  const double most = std::hypot(format(x).magnitude(), format(y).magnitude());
  const IntegerFormat out = choose(node.outputs[0], {0, most * scale});
  const int z = add_value(node.outputs[0], out);
  auto args = std::make_shared<pb_rescale>();
  args->count = made_->values_[static_cast<std::size_t>(z)].count;
  args->scale = dyadic_of(scale / out.scale, most);
  args->lo = out.lo;
  args->hi = out.hi;
  IntegerStep& step = add_step(node, "magnitude", {x, y}, {z});
  step.run = [args](const IntegerCall& c) {
    c.fns.magnitude(args.get(), c.in[0], c.in[1], c.out[0]);
  };
  step.write = [args](CWriter& w, const IntegerNames& names) {
    const std::string s = w.structure(
        "pb_rescale", std::to_string(args->count) + ", " + CWriter::of(args->scale) + ", " +
                          std::to_string(args->lo) + ", " + std::to_string(args->hi));
    w.call(call_text("pb_magnitude_run", s, names));
  };
  return Status::ok();
}

}  // namespace pbatch
