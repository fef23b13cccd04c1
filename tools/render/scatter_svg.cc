#include "tools/render/scatter_svg.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>

#include "tools/render/text.h"

namespace pbatch {
namespace {

constexpr double kWidth = 440, kHeight = 360;
constexpr double kLeft = 64, kRight = 14, kTop = 16, kBottom = 52;
constexpr double kFont = 13;

struct Box {
  double x0, y0, x1, y1;
  bool meets(const Box& o) const { return x0 < o.x1 && o.x0 < x1 && y0 < o.y1 && o.y0 < y1; }
};

std::string mark(std::size_t series, double x, double y, const std::string& inside) {
  switch (series) {
    case 0:
      return fmt::format("<circle class=\"s0\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"5\">{}</circle>", x,
                         y, inside);
    case 1:
      return fmt::format("<path class=\"s1\" d=\"M{:.1f} {:.1f}l6 6l-6 6l-6 -6z\">{}</path>", x,
                         y - 6, inside);
    case 2:
      return fmt::format("<path class=\"s2\" d=\"M{:.1f} {:.1f}l6 10h-12z\">{}</path>", x, y - 6,
                         inside);
    case 3:
      return fmt::format(
          "<rect class=\"ref\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"9\" height=\"9\">{}</rect>",
          x - 4.5, y - 4.5, inside);
    default:
      return fmt::format("<circle class=\"other\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"5\">{}</circle>",
                         x, y, inside);
  }
}

// Finds room for labels: beside their point, clear of points and of each other.
class LabelPlacer {
 public:
  void block(double x, double y) { taken_.push_back({x - 6, y - 6, x + 6, y + 6}); }

  std::string place(double x, double y, const std::string& text, const std::string& style) {
    const double width = 0.56 * kFont * static_cast<double>(text.size()), height = kFont;
    struct Offset {
      double x, y;
    };
    const std::array<Offset, 8> offsets{{{9, -height - 4},
                                         {-width - 9, -height - 4},
                                         {-width / 2, -height - 9},
                                         {10, -height / 2},
                                         {-width - 10, -height / 2},
                                         {9, 4},
                                         {-width - 9, 4},
                                         {-width / 2, 9}}};
    for (const Offset& o : offsets) {
      const Box box{x + o.x, y + o.y, x + o.x + width, y + o.y + height};
      const bool inside = box.x0 >= kLeft + 2 && box.x1 <= kWidth - 2 && box.y0 >= 0 &&
                          box.y1 <= kHeight - kBottom - 1;
      if (!inside ||
          std::any_of(taken_.begin(), taken_.end(), [&](const Box& b) { return b.meets(box); })) {
        continue;
      }
      taken_.push_back(box);
      return fmt::format("<text class=\"{}\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>\n", style, box.x0,
                         box.y1 - 3, escape_html(text));
    }
    return {};  // the tooltip still has it
  }

 private:
  std::vector<Box> taken_;
};

bool drawable(const Chart& chart, const ChartPoint& p) {
  return std::isfinite(p.x) && std::isfinite(p.y) && (chart.x_scale != Scale::log || p.x > 0) &&
         (chart.y_scale != Scale::log || p.y > 0);
}

std::string draw_axes(const Chart& chart, const Axis& x, const Axis& y) {
  std::string svg;
  auto out = std::back_inserter(svg);
  const double bottom = kHeight - kBottom, right = kWidth - kRight;
  std::vector<double> levels = y.ticks(32);
  if (drawable(chart, chart.reference)) {  // its value takes the place of ticks too near
    const double at = y.pixel(chart.reference.y);
    std::erase_if(levels, [&](double v) { return std::fabs(y.pixel(v) - at) < 18; });
    levels.push_back(chart.reference.y);
  }
  for (const double v : levels) {
    fmt::format_to(out,
                   "<line class=\"grid\" x1=\"{0}\" x2=\"{1}\" y1=\"{2:.1f}\" y2=\"{2:.1f}\"/>"
                   "<text class=\"tick\" text-anchor=\"end\" x=\"{3}\" y=\"{4:.1f}\">{5}</text>\n",
                   kLeft, right, y.pixel(v), kLeft - 7, y.pixel(v) + 4,
                   escape_html(chart.y_text(v)));
  }
  for (const double v : x.ticks(52)) {
    fmt::format_to(
        out,
        "<line class=\"grid\" x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1}\" y2=\"{2}\"/>"
        "<text class=\"tick\" text-anchor=\"middle\" x=\"{0:.1f}\" y=\"{3}\">{4}</text>\n",
        x.pixel(v), kTop, bottom, bottom + 18, escape_html(chart.x_text(v)));
  }
  fmt::format_to(out,
                 "<path class=\"axis\" d=\"M{0} {1}V{2}H{3}\"/>\n"
                 "<text class=\"name\" text-anchor=\"middle\" x=\"{4}\" y=\"{5}\">{6}</text>\n"
                 "<text class=\"name\" text-anchor=\"middle\" "
                 "transform=\"translate(12 {7}) rotate(-90)\">{8}</text>\n",
                 kLeft, kTop, bottom, right, (kLeft + right) / 2, kHeight - 10,
                 escape_html(chart.x_label), (kTop + bottom) / 2, escape_html(chart.y_label));
  return svg;
}

std::string tooltip(const ChartPoint& p) { return "<title>" + escape_html(p.tooltip) + "</title>"; }

}  // namespace

std::string scatter_svg(const Chart& chart) {
  std::vector<double> xs, ys;
  const bool has_reference = drawable(chart, chart.reference);
  const auto take = [&](const ChartPoint& p) {
    if (!drawable(chart, p)) return;
    xs.push_back(p.x);
    ys.push_back(p.y);
  };
  take(chart.reference);
  const bool upright = !std::isfinite(chart.reference.y) && std::isfinite(chart.reference.x) &&
                       (chart.x_scale != Scale::log || chart.reference.x > 0);
  if (upright) xs.push_back(chart.reference.x);
  std::for_each(chart.others.begin(), chart.others.end(), take);
  for (const ChartSeries& s : chart.series) std::for_each(s.points.begin(), s.points.end(), take);
  if (ys.empty()) return "<p>No finite values to draw.</p>\n";
  const Axis x(chart.x_scale, xs, kLeft, kWidth - kRight);
  const Axis y(chart.y_scale, ys, kHeight - kBottom, kTop);

  std::string svg = fmt::format(
      "<svg viewBox=\"0 0 {0} {1}\" role=\"img\" aria-labelledby=\"{2}-t {2}-d\">\n"
      "<title id=\"{2}-t\">{3}</title><desc id=\"{2}-d\">{4}</desc>\n",
      kWidth, kHeight, chart.id, escape_html(chart.title), escape_html(chart.description));
  svg += draw_axes(chart, x, y);
  LabelPlacer labels;
  std::string marks, texts;
  if (upright) {
    const double px = x.pixel(chart.reference.x);
    svg += fmt::format(
        "<line class=\"refline\" x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1}\" y2=\"{2}\"/>\n", px, kTop,
        kHeight - kBottom);
    texts += labels.place(px, kTop + 10, chart.reference.label, "label");
  }
  if (has_reference) {
    const double px = x.pixel(chart.reference.x), py = y.pixel(chart.reference.y);
    svg += fmt::format(
        "<line class=\"refline\" x1=\"{0}\" x2=\"{1}\" y1=\"{2:.1f}\" y2=\"{2:.1f}\"/>\n", kLeft,
        kWidth - kRight, py);
    labels.block(px, py);
  }
  for (std::size_t s = 0; s < chart.series.size(); ++s) {
    std::string line;
    for (const ChartPoint& p : chart.series[s].points) {
      if (!drawable(chart, p)) continue;
      const double px = x.pixel(p.x), py = y.pixel(p.y);
      line += fmt::format("{}{:.1f} {:.1f}", line.empty() ? "M" : "L", px, py);
      labels.block(px, py);
      marks += mark(s % 3, px, py, tooltip(p)) + "\n";
    }
    if (!line.empty()) {
      svg += fmt::format("<path class=\"line s{}\" d=\"{}\"/>\n", s % 3, line);
    }
  }
  for (const ChartPoint& p : chart.others) {
    if (!drawable(chart, p)) continue;
    const double px = x.pixel(p.x), py = y.pixel(p.y);
    marks += mark(4, px, py, tooltip(p)) + "\n";
    labels.block(px, py);
    texts += labels.place(px, py, p.label, "label");
  }
  if (has_reference) {
    const double px = x.pixel(chart.reference.x), py = y.pixel(chart.reference.y);
    marks += mark(3, px, py, tooltip(chart.reference)) + "\n";
    texts += labels.place(px, py, chart.reference.label, "label");
  }
  for (std::size_t s = 0; s < chart.series.size(); ++s) {
    for (const ChartPoint& p : chart.series[s].points) {
      if (!drawable(chart, p)) continue;
      texts += labels.place(x.pixel(p.x), y.pixel(p.y), p.label, fmt::format("label t{}", s % 3));
    }
  }
  return svg + marks + texts + "</svg>\n";
}

std::string legend_mark(std::size_t series) {
  return "<svg class=\"mark\" viewBox=\"0 0 16 16\" aria-hidden=\"true\">" +
         mark(series, 8, 8, {}) + "</svg>";
}

}  // namespace pbatch
