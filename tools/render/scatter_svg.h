// A scatter chart as inline SVG.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tools/render/axis.h"

namespace pbatch {

struct ChartPoint {
  double x = 0, y = 0;
  std::string label;    ///< written beside the point
  std::string tooltip;  ///< shown on hovering, read by screen readers
};

/// Points joined by a line, in order.
struct ChartSeries {
  std::string name;
  std::vector<ChartPoint> points;
};

struct Chart {
  std::string id;  ///< unique in the page
  std::string title, description;
  std::string x_label, y_label;
  Scale x_scale = Scale::log, y_scale = Scale::linear;
  std::function<std::string(double)> x_text, y_text;  ///< numbers at the ticks
  std::vector<ChartPoint> others;                     ///< lone points, each its own label
  std::vector<ChartSeries> series;                    ///< at most 3 are told apart
  /// The float network: a point and a line across; only an upright line if y is not finite.
  ChartPoint reference;
};

/// Colours come from the page's classes s0, s1, s2, ref, so that both colour
/// schemes work; series differ in shape, too. Points that are not finite are left out.
std::string scatter_svg(const Chart& chart);

/// The mark of a series, for a legend; index 3 is the reference, 4 a lone point.
std::string legend_mark(std::size_t series);

}  // namespace pbatch
