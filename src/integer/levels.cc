#include "integer/levels.h"

#include <algorithm>
#include <cmath>

#include "integer/builder.h"

namespace pbatch {

std::vector<std::int32_t> levels_of(double octaves, int last, std::int32_t top) {
  constexpr double kLeast = 1.0 / 64, kMost = 15;  // even steps; what codes of 16 bits hold
  const double rate = std::clamp(octaves, kLeast, kMost) * std::log(2.0);
  std::vector<std::int32_t> values;
  for (int i = 0; i <= last; ++i) {
    values.push_back(static_cast<std::int32_t>(
        std::lround(top * std::expm1(rate * i / last) / std::expm1(rate))));
  }
  return values;
}

int IntegerBuilder::in_levels(const std::string& node, int v, double octaves) {
  const IntegerValue source = made_->values_[static_cast<std::size_t>(v)];
  const IntegerFormat has = source.format;
  struct Held {
    pb_levels view = {};
    std::vector<std::int32_t> values;
  };
  const auto held = std::make_shared<Held>();
  // 256 codes: with a sign if there are negative numbers.
  held->values = levels_of(octaves, has.lo >= 0 ? 255 : 127, has.hi);
  held->view = {source.count, static_cast<std::int32_t>(held->values.size()) - 1,
                held->values.data()};
  const int y = add_hidden("", source.shape, has);
  IntegerStep step;
  step.node = node;
  step.kind = "levels";
  step.inputs = {v};
  step.outputs = {y};
  step.run = [held](const IntegerCall& c) { c.fns.levels(&held->view, c.in[0], c.out[0]); };
  step.write = [held](CWriter& w, const IntegerNames& names) {
    const std::string s = w.structure("pb_levels", std::to_string(held->view.count) + ", " +
                                                       std::to_string(held->view.last) + ", " +
                                                       w.array(held->values));
    w.call(call_text("pb_levels_run", s, names));
  };
  made_->steps_.push_back(std::move(step));
  return y;
}

}  // namespace pbatch
