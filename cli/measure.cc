#include "cli/measure.h"

#include <fmt/format.h>

#include <filesystem>
#include <optional>
#include <utility>

#include "tools/io/array_file.h"
#include "tools/io/port_files.h"
#include "tools/render/table.h"
#include "tools/render/text.h"

namespace pbatch::cli {
namespace {

std::optional<std::pair<std::string, std::size_t>> parse_axis(const std::string& text) {
  const std::size_t equals = text.rfind('=');
  if (equals == std::string::npos || equals == 0 || equals + 2 != text.size()) return std::nullopt;
  const char digit = text.back();
  if (digit < '0' || digit > '9') return std::nullopt;
  return std::pair{text.substr(0, equals), static_cast<std::size_t>(digit - '0')};
}

}  // namespace

void DataFlags::add_to(CLI::App& command) {
  command
      .add_option("--data", data,
                  "Items: .npy or IDX, also .gz; the first dimension counts them. NAME=FILE for "
                  "each of several inputs")
      ->type_name("FILE")
      ->allow_extra_args(false);
  command.add_option("--labels", labels, "Class numbers, or float targets: .npy or IDX, also .gz")
      ->type_name("FILE");
  command
      .add_option("--batch", options.batch,
                  "Items a run when accuracy is measured; default: up to 64 where the network "
                  "takes them. Latency is always of one item")
      ->check(CLI::Range(1, 1 << 20))
      ->type_name("N");
  command
      .add_option("--batch-axis", axes,
                  "Which dimension of an input counts the items of a run, from 0; default: the "
                  "first")
      ->type_name("NAME=N")
      ->allow_extra_args(false);
  command.add_option("--limit", options.limit, "Only the first N items")
      ->check(CLI::PositiveNumber)
      ->type_name("N");
}

void DataFlags::parse() const {
  if (data.empty() != labels.empty()) {
    throw CLI::ValidationError(data.empty() ? "--labels" : "--data",
                               "data and labels go together; give both");
  }
  for (const std::string& text : axes) {
    if (!parse_axis(text)) {
      throw CLI::ValidationError("--batch-axis", "'" + text + "' is not NAME=N, e.g. x=1");
    }
  }
}

namespace {

// Names and files may hold '=': what is a file is meant.
PortFile parse_data(const std::string& text) {
  if (std::filesystem::exists(text)) return {{}, text};
  for (std::size_t at = text.find('='); at != std::string::npos; at = text.find('=', at + 1)) {
    if (std::filesystem::exists(text.substr(at + 1)))
      return {text.substr(0, at), text.substr(at + 1)};
  }
  return parse_port_file(text, {});
}

}  // namespace

std::string data_file(const std::string& text) { return parse_data(text).file; }

std::vector<std::string> DataFlags::sources() const {
  std::vector<std::string> files{labels};
  for (const std::string& text : data) files.push_back(data_file(text));
  return files;
}

Result<std::vector<InputData>> DataFlags::load_items(const std::vector<std::string>& files) const {
  std::vector<InputData> inputs;
  for (const std::string& text : files) {
    const PortFile port = parse_data(text);
    PBATCH_ASSIGN_OR_RETURN(ArrayFile items, read_array(port.file));
    const bool pixels = items.idx && items.tensor.dtype() == DType::u8;
    inputs.push_back({port.name, std::move(items.tensor), pixels, {}});
  }
  for (const std::string& text : axes) {
    const auto [name, axis] = *parse_axis(text);
    bool found = false;
    for (InputData& input : inputs) {
      if (input.name != name && !(input.name.empty() && inputs.size() == 1)) continue;
      input.axis = axis;
      found = true;
    }
    if (!found) {
      return Status(ErrorCode::not_found, "--batch-axis names '" + name + "', which no --data does",
                    "give --data " + name + "=FILE");
    }
  }
  return inputs;
}

Result<Dataset> DataFlags::load() const {
  Dataset dataset;
  PBATCH_ASSIGN_OR_RETURN(dataset.data, load_items(data));
  PBATCH_ASSIGN_OR_RETURN(ArrayFile targets, read_array(labels));
  dataset.labels = std::move(targets.tensor);
  return dataset;
}

void add_seconds_option(CLI::App& command, TimingOptions& timing) {
  command.add_option("--seconds", timing.seconds, "Timed work per row, about")
      ->check(CLI::Range(0.0, 3600.0))
      ->capture_default_str()
      ->type_name("S");
}

namespace {

// A row that is not ours says whose it is, one of an allocation which.
void name_row(const Contender& c, nlohmann::json& row) {
  if (!c.baseline.empty()) row["baseline"] = c.baseline;
  if (!c.allocation.empty()) row["allocation"] = c.allocation;
  if (c.precision.arithmetic == Arithmetic::integers) row["arithmetic"] = "integer";
}

std::string weights_column(const Contender& c) {
  if (!c.allocation.empty()) return c.allocation;
  return c.baseline.empty() ? width_name(c.precision) : c.baseline;
}

std::string activations_column(const Contender& c) {
  if (!c.allocation.empty()) return "by layer";
  return c.precision.all.weight_bits == 32
             ? "float"
             : activation_name(c.precision.all.activation_bits) +
                   (c.precision.all.activation_bits == kActivations8s ? "" : "-bit");
}

}  // namespace

nlohmann::json row_json(const Contender& c, const std::string& metric, double value,
                        const Cost& cost) {
  nlohmann::json json{{"weight_bits", c.precision.all.weight_bits},
                      {"activation_bits", activation_json(c.precision.all.activation_bits)},
                      {"metric", metric},
                      {"value", value},
                      {"latency_us", cost.latency_us},
                      {"speedup_vs_f32", cost.speedup_vs_f32},
                      {"weight_bytes", cost.weight_bytes}};
  name_row(c, json);
  return json;
}

std::vector<std::string> table_row(const Contender& c, const std::vector<std::string>& values,
                                   const Cost& cost) {
  std::vector<std::string> cells{weights_column(c), activations_column(c)};
  cells.insert(cells.end(), values.begin(), values.end());
  cells.insert(cells.end(),
               {human_time(cost.latency_us), fmt::format("{:.2f}x", cost.speedup_vs_f32),
                human_bytes(static_cast<double>(cost.weight_bytes))});
  return cells;
}

nlohmann::json eval_row_json(const Contender& c, const Evaluation& e, std::size_t row) {
  return row_json(c, metric_name(e.metric), e.rows[row].value, e.rows[row].cost);
}

std::string eval_table(const Networks& nets, const Evaluation& e) {
  const bool percent = e.metric == Metric::accuracy;
  Table table({"weights", "activations", percent ? "accuracy %" : "mse", "latency", "speed-up",
               "weight bytes"});
  for (std::size_t i = 0; i < nets.contenders.size(); ++i) {
    const EvalRow& row = e.rows[i];
    table.add(table_row(
        nets.contenders[i],
        {percent ? fmt::format("{:.2f}", 100 * row.value) : short_number(row.value)}, row.cost));
  }
  return table.to_string() + fmt::format("{} items, {}; batches of {} for the {}, 1 for latency\n",
                                         e.items, e.input_note, e.batch, metric_name(e.metric));
}

namespace {

nlohmann::json output_error_json(const OutputError& error) {
  nlohmann::json json{{"rel_error", error.rel_error},
                      {"cosine", error.cosine},
                      {"max_abs_error", error.max_abs_error},
                      {"mean_abs_error", error.mean_abs_error}};
  if (error.exact) {
    json["differing"] = error.differing;
    json["elements"] = error.elements;
  }
  return json;
}

std::string rel_error_text(const OutputError& error) {
  return error.exact ? fmt::format("{} of {} differ", error.differing, error.elements)
                     : short_number(error.rel_error);
}

}  // namespace

nlohmann::json compare_row_json(const Contender& c, const CompareRow& row) {
  const std::vector<PortInfo>& ports = c.session->outputs();
  nlohmann::json json{{"weight_bits", c.precision.all.weight_bits},
                      {"activation_bits", activation_json(c.precision.all.activation_bits)},
                      {"output", ports[row.worst()].name},
                      {"latency_us", row.cost.latency_us},
                      {"speedup_vs_f32", row.cost.speedup_vs_f32},
                      {"weight_bytes", row.cost.weight_bytes}};
  json.update(output_error_json(row.error()));
  json["outputs"] = nlohmann::json::array();
  for (std::size_t o = 0; o < row.errors.size(); ++o) {
    json["outputs"].push_back(output_error_json(row.errors[o]));
    json["outputs"].back()["name"] = ports[o].name;
  }
  name_row(c, json);
  return json;
}

std::string compare_table(const Networks& nets, const std::vector<CompareRow>& rows) {
  Table table({"weights", "activations", "rel. error", "cosine", "max abs error", "latency",
               "speed-up", "weight bytes"});
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const OutputError& error = rows[i].error();
    table.add(table_row(nets.contenders[i],
                        {rel_error_text(error), fmt::format("{:.6f}", error.cosine),
                         short_number(error.max_abs_error)},
                        rows[i].cost));
  }
  const std::size_t outputs = rows[0].errors.size();
  if (outputs < 2) return table.to_string();
  Table each({"weights", "activations", "output", "rel. error", "cosine", "max abs error"});
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const Contender& c = nets.contenders[i];
    for (std::size_t o = 0; o < outputs && i > 0; ++o) {
      const OutputError& error = rows[i].errors[o];
      each.add({weights_column(c), activations_column(c), c.session->outputs()[o].name,
                rel_error_text(error), fmt::format("{:.6f}", error.cosine),
                short_number(error.max_abs_error)});
    }
  }
  return table.to_string() + "errors are those of the worst output; each one's:\n" +
         each.to_string();
}

std::string float_side_line(const Networks& nets) {
  std::string line =
      nets.float_source == "dequantized"
          ? "float side: the model's own bit-layers turned back into floats (--float names the "
            "original)\n"
          : "float side: " + printable(nets.float_source) + "\n";
  if (nets.quantized->device().device != Device::cpu()) {
    line += "the float side runs on the CPU, and speed-ups are over it\n";
  }
  return line;
}

}  // namespace pbatch::cli
