#include "tools/render/sweep_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

#include "tools/render/scatter_svg.h"
#include "tools/render/sweep_style.h"
#include "tools/render/text.h"

namespace pbatch {
namespace {

std::string row_name(const SweepRow& row) {
  if (!row.baseline.empty()) return row.baseline;
  if (!row.allocation.empty()) return row.allocation;
  return row.weight_bits == 32 ? "float" : std::to_string(row.weight_bits) + "-bit";
}

std::string activations_name(const SweepRow& row) {
  if (!row.allocation.empty()) return "by layer";
  return row.weight_bits == 32 ? "float" : fmt::format("{}-bit", row.activation_bits);
}

// The line that the row's point is on.
std::string series_name(const SweepRow& row) {
  return row.allocation.empty() ? fmt::format("{}-bit activations", row.activation_bits)
                                : "a width for each layer";
}

// Up to 4 digits, no more than needed: "0.5", "98.4", "1200".
std::string tick_number(double value) { return fmt::format("{:.4g}", value); }

std::string value_text(SweepMetric metric, double value) {
  if (metric == SweepMetric::accuracy) return fmt::format("{:.2f} %", 100 * value);
  if (metric == SweepMetric::rel_error) return short_number(100 * value) + " %";
  return short_number(value);
}

const char* metric_title(SweepMetric metric) {
  switch (metric) {
    case SweepMetric::accuracy:
      return "Accuracy";
    case SweepMetric::mse:
      return "Mean squared error";
    case SweepMetric::rel_error:
      break;
  }
  return "Relative error";
}

// The scale that keeps a far-off 1-bit point from flattening all others.
Scale metric_scale(const SweepPage& page) {
  if (page.metric != SweepMetric::accuracy) return Scale::log;
  double least = 1, most = 0;
  for (const SweepRow& row : page.rows) {
    least = std::min(least, row.value);
    most = std::max(most, row.value);
  }
  return most - least > 0.05 ? Scale::near_top : Scale::linear;
}

std::string metric_axis(SweepMetric metric) {
  switch (metric) {
    case SweepMetric::accuracy:
      return "accuracy (%)";
    case SweepMetric::mse:
      return "mean squared error, lower is better";
    case SweepMetric::rel_error:
      break;
  }
  return "relative error (%), lower is better";
}

Chart make_chart(const SweepPage& page, bool against_size) {
  Chart chart;
  chart.id = against_size ? "size" : "latency";
  chart.title = fmt::format("{} against {}", metric_title(page.metric),
                            against_size ? "weight size" : "latency");
  chart.description =
      "Each point is the network at one weight precision; the table below has all "
      "numbers. The dashed line is the float network.";
  double most = 0;
  const auto x_of = [&](const SweepRow& r) {
    return against_size ? static_cast<double>(r.weight_bytes) : r.latency_us;
  };
  for (const SweepRow& row : page.rows) most = std::max(most, x_of(row));
  const bool large = against_size ? most >= 1e6 : most >= 1e4;
  const double unit = large ? (against_size ? 1e6 : 1e3) : (against_size ? 1e3 : 1);
  chart.x_label = against_size ? (large ? "weights read per run (MB)" : "weights read per run (kB)")
                               : (large ? "latency of one item (ms)" : "latency of one item (µs)");
  chart.y_label = metric_axis(page.metric);
  chart.y_scale = metric_scale(page);
  const double y_unit = page.metric == SweepMetric::mse ? 1 : 100;
  chart.x_text = [unit](double v) { return tick_number(v / unit); };
  chart.y_text = [y_unit](double v) { return tick_number(v * y_unit); };
  for (const SweepRow& row : page.rows) {
    ChartPoint point{x_of(row), row.value, row_name(row), {}};
    point.tooltip =
        fmt::format("{}{}: {}, {}, {}", row_name(row),
                    row.weight_bits == 32 ? ""
                    : !row.allocation.empty()
                        ? ", a width for each layer"
                        : fmt::format(" weights, {}-bit activations", row.activation_bits),
                    value_text(page.metric, row.value), human_time(row.latency_us),
                    human_bytes(static_cast<double>(row.weight_bytes)));
    if (row.weight_bits == 32) {
      chart.reference = point;
      continue;
    }
    if (!row.baseline.empty()) {
      chart.others.push_back(point);
      continue;
    }
    const std::string name = series_name(row);
    auto series = std::find_if(chart.series.begin(), chart.series.end(),
                               [&](const ChartSeries& s) { return s.name == name; });
    if (series == chart.series.end()) {
      chart.series.push_back({name, {}});
      series = chart.series.end() - 1;
    }
    series->points.push_back(point);
  }
  if (page.metric == SweepMetric::rel_error) chart.reference.y = NAN;  // 0 is not on a log axis
  if (chart.y_scale == Scale::near_top) chart.y_label += ", stretched near the top";
  return chart;
}

std::string legend(const Chart& chart) {
  std::string html = "<p class=\"legend\">";
  for (std::size_t s = 0; s < chart.series.size(); ++s) {
    html += fmt::format("<span>{} {}</span> ", legend_mark(s % 3), chart.series[s].name);
  }
  for (const ChartPoint& other : chart.others) {
    html += "<span>" + legend_mark(4) + " " + escape_html(other.label) + "</span> ";
  }
  if (std::isfinite(chart.reference.y)) html += "<span>" + legend_mark(3) + " float network</span>";
  return html + "</p>\n";
}

std::string figure(const Chart& chart) {
  return "<figure>\n<figcaption>" + escape_html(chart.title) + "</figcaption>\n" +
         scatter_svg(chart) + "</figure>\n";
}

std::string results_table(const SweepPage& page) {
  std::string html = fmt::format(
      "<div class=\"scroll\"><table>\n<thead><tr><th>weights</th><th>activations</th><th>{}</th>"
      "<th>latency</th><th>speed-up</th><th>weight bytes</th></tr></thead>\n<tbody>\n",
      page.metric == SweepMetric::accuracy ? "accuracy"
      : page.metric == SweepMetric::mse    ? "mean squared error"
                                           : "relative error");
  for (const SweepRow& row : page.rows) {
    html += fmt::format(
        "<tr{}><th scope=\"row\">{}</th><td>{}</td><td>{}</td><td>{}</td><td>{:.2f}×</td>"
        "<td>{}</td></tr>\n",
        row.weight_bits == 32 || !row.baseline.empty() ? " class=\"other\"" : "",
        escape_html(row_name(row)), activations_name(row), value_text(page.metric, row.value),
        human_time(row.latency_us), row.speedup_vs_f32,
        human_bytes(static_cast<double>(row.weight_bytes)));
  }
  return html + "</tbody></table></div>\n";
}

// Depth of a cell's colour, 0 to 1: the error's logarithm between 0.1 % and 100 %.
double heat(double error) {
  if (!std::isfinite(error)) return 1;
  return std::clamp((std::log10(std::max(error, 1e-9)) + 3) / 3, 0.0, 1.0);
}

std::string layer_table(const SweepPage& page) {
  if (page.layers.empty()) return {};
  std::string html =
      "<h2>Error by layer and width</h2>\n"
      "<p>How far the outputs are from float when one layer alone runs at a width and all others "
      "keep all their bits: the norm of the difference over the norm of the output. Deeper colour "
      "is more error.</p>\n"
      "<div class=\"scroll\"><table class=\"heat\">\n<thead><tr><th>layer</th>";
  for (const int width : page.layer_widths) html += fmt::format("<th>{}-bit</th>", width);
  html += "</tr></thead>\n<tbody>\n";
  for (const LayerErrors& layer : page.layers) {
    html += "<tr><th scope=\"row\">" + escape_html(layer.layer) + "</th>";
    for (const double error : layer.rel_error) {
      html += fmt::format("<td style=\"--heat:{:.2f}\">{} %</td>", heat(error),
                          short_number(100 * error));
    }
    html += "</tr>\n";
  }
  return html + "</tbody></table></div>\n";
}

// "<b>4-bit weights with 8-bit activations</b>".
std::string bold_name(const SweepRow& row) {
  return row.allocation.empty()
             ? fmt::format("<b>{} weights with {}-bit activations</b>", row_name(row),
                           row.activation_bits)
             : fmt::format("<b>{}, a width for each layer</b>", escape_html(row.allocation));
}

// The fastest of our rows whose value is at least, or at most, the limit; null: none.
const SweepRow* fastest_within(const SweepPage& page, double limit) {
  const bool higher = page.metric == SweepMetric::accuracy;
  const SweepRow* best = nullptr;
  for (const SweepRow& row : page.rows) {
    const bool is_within = higher ? row.value >= limit : row.value <= limit;
    if (row.weight_bits == 32 || !row.baseline.empty() || !is_within) continue;
    if (best == nullptr || row.latency_us < best->latency_us) best = &row;
  }
  return best;
}

std::string headline_of(const SweepPage& page, const SweepRow& row, const std::string& within) {
  return fmt::format(
      "<p class=\"headline\">Fastest within {}: {}, {}, {:.1f} times the speed, {} of {} in "
      "weights.</p>\n",
      within, bold_name(row), value_text(page.metric, row.value), row.speedup_vs_f32,
      human_bytes(static_cast<double>(row.weight_bytes)),
      human_bytes(static_cast<double>(page.rows[0].weight_bytes)));
}

// What a user should run, in a sentence for each limit.
std::string headline(const SweepPage& page) {
  if (page.rows.size() < 2) return {};
  if (page.metric == SweepMetric::accuracy) {
    const SweepRow& base = page.rows[0];
    const SweepRow* const best = fastest_within(page, base.value - 0.005);
    if (best == nullptr) return {};
    return headline_of(
        page, *best,
        fmt::format("half a point of float ({})", value_text(page.metric, base.value)));
  }
  if (page.metric != SweepMetric::rel_error) return {};
  std::string html;
  for (const double limit : {0.01, 0.1}) {
    const SweepRow* const best = fastest_within(page, limit);
    if (best != nullptr) html += headline_of(page, *best, value_text(page.metric, limit));
  }
  return html;
}

// The layers that cost most at the widths shown, if some stand out.
std::string worst_layers(const SweepPage& page) {
  if (page.layers.size() < 2 || page.layer_widths.empty()) return {};
  const std::size_t width = page.layer_widths.size() / 2;
  std::vector<const LayerErrors*> sorted;
  double squares = 0;
  for (const LayerErrors& layer : page.layers) {
    if (!std::isfinite(layer.rel_error[width])) return {};
    squares += layer.rel_error[width] * layer.rel_error[width];
    sorted.push_back(&layer);
  }
  std::stable_sort(sorted.begin(), sorted.end(), [&](const LayerErrors* a, const LayerErrors* b) {
    return a->rel_error[width] > b->rel_error[width];
  });
  std::string names;
  double named = 0;
  for (const LayerErrors* layer : sorted) {
    if (named > 0.5 * squares) break;
    named += layer->rel_error[width] * layer->rel_error[width];
    names += (names.empty() ? "" : ", ") + escape_html(layer->layer);
  }
  if (squares <= 0 || sorted.size() < 3) return {};
  return fmt::format("<p>Most of the error of {} bits comes from {}.</p>\n",
                     page.layer_widths[width], names);
}

std::string conditions(const SweepPage& page) {
  const RunConditions& c = page.conditions;
  const std::string float_side = page.float_source == "dequantized"
                                     ? "the model's own bit-layers turned back into floats"
                                     : page.float_source;
  std::string html = "<h2>Conditions</h2>\n<dl>\n";
  const auto row = [&html](const char* name, const std::string& text) {
    html += fmt::format("<dt>{}</dt><dd>{}</dd>\n", name, escape_html(text));
  };
  row("Network", page.file);
  row("Float side", float_side);
  row("Inputs", page.input_note);
  row("Processor", fmt::format("{}, {} cores usable", c.cpu, c.cores));
  row("Instruction set", c.isa);
  row("Threads", std::to_string(c.threads));
  row("Date", c.date);
  row("Command", c.command);
  return html + "</dl>\n";
}

}  // namespace

std::string sweep_page_html(const SweepPage& page) {
  const Chart latency = make_chart(page, false), size = make_chart(page, true);
  const std::string name = escape_html(page.file.substr(page.file.find_last_of('/') + 1));
  return "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
         "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>" +
         name + " at every precision</title>\n<style>\n" + kSweepStyle +
         "</style>\n</head>\n<body>\n<main>\n<h1>" + name + " at every precision</h1>\n" +
         headline(page) + worst_layers(page) + legend(latency) + "<div class=\"charts\">\n" +
         figure(latency) + figure(size) + "</div>\n<h2>Results</h2>\n" + results_table(page) +
         layer_table(page) + conditions(page) + "</main>\n</body>\n</html>\n";
}

}  // namespace pbatch
