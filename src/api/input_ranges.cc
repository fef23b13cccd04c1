#include "api/input_ranges.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <sstream>
#include <vector>

#include "feed/convert.h"
#include "integer/integer_builder.h"

namespace pbatch {
namespace {

std::string range_text(double least, double greatest) {
  std::ostringstream text;
  text.precision(9);
  text << least << "," << greatest;
  return text.str();
}

std::vector<std::string> float_inputs(const Graph& graph) {
  std::vector<std::string> names;
  for (const ValueId id : graph.inputs) {
    const Value& value = graph.values[static_cast<std::size_t>(id)];
    if (value.dtype == DType::f32) names.push_back(value.name);
  }
  return names;
}

// A sample that names no input is of the only float input, if there is one alone.
void add_sample(Graph& graph, const std::vector<std::string>& names, const Sample& sample) {
  const std::string& name = sample.input.empty() && names.size() == 1 ? names[0] : sample.input;
  if (std::find(names.begin(), names.end(), name) == names.end()) return;
  double least = INFINITY, greatest = -INFINITY;
  for (std::int64_t i = 0; i < sample.data.size(); ++i) {
    const double x = element_as_double(sample.data, i) / (sample.pixels ? 255 : 1);
    if (!std::isfinite(x)) continue;
    least = std::min(least, x);
    greatest = std::max(greatest, x);
  }
  if (least <= greatest) graph.metadata[kInputRangeKey + name] = range_text(least, greatest);
}

}  // namespace

Status add_input_ranges(Graph& graph, const QuantizeOptions& options) {
  const std::vector<std::string> names = float_inputs(graph);
  for (const Sample& sample : options.samples) add_sample(graph, names, sample);
  for (const InputRange& range : options.input_ranges) {
    if (std::find(names.begin(), names.end(), range.input) == names.end()) {
      return Status(ErrorCode::invalid_argument,
                    "a range is given for '" + range.input + "', which is no float input",
                    "name one of the network's float inputs")
          .in_file(graph.source_file);
    }
    if (!(std::isfinite(range.least) && range.least <= range.greatest &&
          std::isfinite(range.greatest))) {
      return Status(ErrorCode::invalid_argument, "the range of input '" + range.input + "' is none",
                    "give its least and its greatest number")
          .in_file(graph.source_file);
    }
    graph.metadata[kInputRangeKey + range.input] = range_text(range.least, range.greatest);
  }
  return Status::ok();
}

}  // namespace pbatch
