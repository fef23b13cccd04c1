#include "op/conv/resize_axis.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

namespace pbatch {
namespace {

using Mode = ResizeRule::Mode;
using Coordinates = ResizeRule::Coordinates;
using Nearest = ResizeRule::Nearest;

template <class T, std::size_t N>
Result<T> choose(const Node& node, const char* attribute, const char* fallback,
                 const std::array<std::pair<const char*, T>, N>& known) {
  PBATCH_ASSIGN_OR_RETURN(const std::string name, node.string_attr(attribute, fallback));
  for (const auto& [text, value] : known) {
    if (name == text) return value;
  }
  return Status(ErrorCode::unsupported,
                std::string(attribute) + " = '" + name + "' of " + node.op_type + " is not known",
                "export the network with another one");
}

constexpr std::array<std::pair<const char*, Mode>, 4> kModes{{{"nearest", Mode::nearest},
                                                              {"linear", Mode::linear},
                                                              {"bilinear", Mode::linear},
                                                              {"cubic", Mode::cubic}}};
constexpr std::array<std::pair<const char*, Coordinates>, 7> kCoordinates{
    {{"half_pixel", Coordinates::half_pixel},
     {"half_pixel_symmetric", Coordinates::half_pixel_symmetric},
     {"pytorch_half_pixel", Coordinates::pytorch_half_pixel},
     {"align_corners", Coordinates::align_corners},
     {"asymmetric", Coordinates::asymmetric},
     {"tf_crop_and_resize", Coordinates::tf_crop_and_resize},
     {"tf_half_pixel_for_nn", Coordinates::tf_half_pixel_for_nn}}};
constexpr std::array<std::pair<const char*, Nearest>, 4> kNearest{
    {{"round_prefer_floor", Nearest::round_prefer_floor},
     {"round_prefer_ceil", Nearest::round_prefer_ceil},
     {"floor", Nearest::floor},
     {"ceil", Nearest::ceil}}};

// Where output `o` lies among the inputs. In float32, since a rounded coordinate decides which
// input is the nearest.
float coordinate(const ResizeRule& rule, const ResizeAxis& a, std::int64_t output) {
  const auto o = static_cast<float>(output);
  const auto in = static_cast<float>(a.in), out = static_cast<float>(a.out);
  switch (rule.coordinates) {
    case Coordinates::half_pixel:
      return (o + 0.5F) / a.scale - 0.5F;
    case Coordinates::half_pixel_symmetric: {
      const float adjustment = out / (a.scale * in);
      return in / 2.0F * (1.0F - adjustment) + (o + 0.5F) / a.scale - 0.5F;
    }
    case Coordinates::pytorch_half_pixel:
      return a.out > 1 ? (o + 0.5F) / a.scale - 0.5F : 0.0F;
    case Coordinates::align_corners:
      return a.out > 1 ? o * (in - 1.0F) / (out - 1.0F) : 0.0F;
    case Coordinates::asymmetric:
      return o / a.scale;
    case Coordinates::tf_half_pixel_for_nn:
      return (o + 0.5F) / a.scale;
    case Coordinates::tf_crop_and_resize:
      break;
  }
  if (a.out == 1) return 0.5F * (a.begin + a.end) * (in - 1.0F);
  return a.begin * (in - 1.0F) + o * (a.end - a.begin) * (in - 1.0F) / (out - 1.0F);
}

std::int64_t nearest_input(const ResizeRule& rule, float x) {
  switch (rule.nearest) {
    case Nearest::round_prefer_floor:
      return static_cast<std::int64_t>(std::ceil(x - 0.5F));
    case Nearest::round_prefer_ceil:
      return static_cast<std::int64_t>(std::floor(x + 0.5F));
    case Nearest::floor:
      return static_cast<std::int64_t>(std::floor(x));
    case Nearest::ceil:
      break;
  }
  return static_cast<std::int64_t>(std::ceil(x));
}

float triangle(float x) { return std::max(0.0F, 1.0F - std::fabs(x)); }

float cubic_weight(float x, float a) {
  x = std::fabs(x);
  if (x <= 1.0F) return ((a + 2.0F) * x - (a + 3.0F)) * x * x + 1.0F;
  if (x < 2.0F) return ((a * x - 5.0F * a) * x + 8.0F * a) * x - 4.0F * a;
  return 0.0F;
}

void fill_output(const ResizeRule& rule, const ResizeAxis& axis, float x, float stretch,
                 std::int64_t first, std::int64_t output, ResizeTable& t) {
  float sum = 0.0F;
  const auto at = [&](std::int64_t k) { return static_cast<std::size_t>(output * t.taps + k); };
  for (std::int64_t k = 0; k < t.taps; ++k) {
    const std::int64_t index = first + k;
    const float distance = (static_cast<float>(index) - x) * stretch;
    float weight =
        rule.mode == Mode::linear ? triangle(distance) : cubic_weight(distance, rule.cubic_coeff_a);
    if (rule.exclude_outside && (index < 0 || index >= axis.in)) weight = 0.0F;
    t.indices[at(k)] = std::clamp<std::int64_t>(index, 0, axis.in - 1);
    t.weights[at(k)] = weight;
    sum += weight;
  }
  if (sum == 0.0F || (!rule.exclude_outside && stretch == 1.0F)) return;
  for (std::int64_t k = 0; k < t.taps; ++k) t.weights[at(k)] /= sum;
}

}  // namespace

Result<ResizeRule> read_resize_rule(const Node& node) {
  ResizeRule rule;
  const bool old = node.opset < 11;
  PBATCH_ASSIGN_OR_RETURN(rule.mode, choose(node, "mode", "nearest", kModes));
  if (old) {
    rule.coordinates = Coordinates::asymmetric;
    rule.nearest = Nearest::floor;
    return rule;
  }
  PBATCH_ASSIGN_OR_RETURN(
      rule.coordinates, choose(node, "coordinate_transformation_mode", "half_pixel", kCoordinates));
  PBATCH_ASSIGN_OR_RETURN(rule.nearest,
                          choose(node, "nearest_mode", "round_prefer_floor", kNearest));
  PBATCH_ASSIGN_OR_RETURN(rule.cubic_coeff_a, node.float_attr("cubic_coeff_a", -0.75F));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t exclude, node.int_attr("exclude_outside", 0));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t antialias, node.int_attr("antialias", 0));
  rule.exclude_outside = exclude != 0;
  rule.antialias = antialias != 0;
  return rule;
}

ResizeTable make_resize_table(const ResizeRule& rule, const ResizeAxis& axis) {
  ResizeTable t;
  const bool crops = rule.coordinates == Coordinates::tf_crop_and_resize;
  if (crops) t.outside.resize(static_cast<std::size_t>(axis.out));
  // A filter against aliasing is as much wider as the output is smaller.
  const float stretch = rule.antialias ? std::min(axis.scale, 1.0F) : 1.0F;
  const float radius = (rule.mode == Mode::cubic ? 2.0F : 1.0F) / stretch;
  const auto start = static_cast<std::int64_t>(std::floor(-radius)) + 1;
  if (rule.mode != Mode::nearest) t.taps = 2 - 2 * start;
  t.indices.resize(static_cast<std::size_t>(axis.out * t.taps));
  t.weights.assign(static_cast<std::size_t>(axis.out * t.taps), 1.0F);
  for (std::int64_t o = 0; o < axis.out; ++o) {
    const auto limit = static_cast<float>(axis.in - 1);
    const float x = coordinate(rule, axis, o);
    if (crops) t.outside[static_cast<std::size_t>(o)] = !(x >= 0.0F && x <= limit);
    // Beyond the border it goes on; a region may be NaN.
    const float bounded = x >= -4.0F ? std::min(x, limit + 4.0F) : -4.0F;
    if (rule.mode == Mode::nearest) {
      t.indices[static_cast<std::size_t>(o)] =
          std::clamp<std::int64_t>(nearest_input(rule, bounded), 0, axis.in - 1);
      continue;
    }
    const std::int64_t below = static_cast<std::int64_t>(std::ceil(bounded)) - 1;
    fill_output(rule, axis, bounded, stretch, below + start, o, t);
  }
  return t;
}

}  // namespace pbatch
