#include <fmt/format.h>

#include <algorithm>

#include "cli/command.h"
#include "cli/measure.h"
#include "cli/progress_bar.h"
#include "tools/allocate/frontier.h"
#include "tools/allocate/record_inputs.h"
#include "tools/render/sweep_page.h"
#include "tools/render/text.h"

namespace pbatch::cli {
namespace {

constexpr double kPlanSeconds = 4;

struct SweepCommand {
  NetworkFlags network;
  DataFlags data;
  InputFlags inputs;
  std::string page_file;
  OutputOptions output;

  Status run() const;

 private:
  Status add_planned(Networks* nets, Progress& progress) const;
  Status measure(const Networks& nets, SweepPage* page, std::string* text,
                 nlohmann::json* json) const;
  Status measure_labelled(const Networks& nets, Progress& progress, SweepPage* page,
                          std::string* text, nlohmann::json* results,
                          std::vector<NamedTensor>* sample) const;
  Status measure_unlabelled(const Networks& nets, Progress& progress, SweepPage* page,
                            std::string* text, nlohmann::json* results,
                            std::vector<NamedTensor>* sample) const;
};

SweepRow sweep_row(const Contender& c, double value, const Cost& cost) {
  return {c.precision.all.weight_bits,
          c.precision.all.activation_bits,
          value,
          cost.latency_us,
          cost.speedup_vs_f32,
          cost.weight_bytes,
          c.baseline,
          c.allocation};
}

Status SweepCommand::measure_labelled(const Networks& nets, Progress& progress, SweepPage* page,
                                      std::string* text, nlohmann::json* results,
                                      std::vector<NamedTensor>* sample) const {
  PBATCH_ASSIGN_OR_RETURN(const Dataset dataset, data.load());
  PBATCH_ASSIGN_OR_RETURN(const Evaluation e,
                          evaluate(nets.contenders, dataset, data.options, progress));
  page->metric = e.metric == Metric::mse ? SweepMetric::mse : SweepMetric::accuracy;
  page->input_note =
      fmt::format("{} items of {}, {}", e.items, fmt::join(data.data, " "), e.input_note);
  for (std::size_t i = 0; i < e.rows.size(); ++i) {
    page->rows.push_back(sweep_row(nets.contenders[i], e.rows[i].value, e.rows[i].cost));
    results->push_back(eval_row_json(nets.contenders[i], e, i));
  }
  *text = eval_table(nets, e);
  *sample = e.sample;
  return Status::ok();
}

Status SweepCommand::measure_unlabelled(const Networks& nets, Progress& progress, SweepPage* page,
                                        std::string* text, nlohmann::json* results,
                                        std::vector<NamedTensor>* sample) const {
  std::string note;
  PBATCH_ASSIGN_OR_RETURN(*sample, inputs.load(nets.contenders[0], *nets.quantized, &note));
  PBATCH_ASSIGN_OR_RETURN(const std::vector<CompareRow> rows,
                          pbatch::compare(nets.contenders, *sample, data.options.timing, progress));
  page->metric = SweepMetric::rel_error;
  page->input_note = note.substr(0, note.size() - 1);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    page->rows.push_back(sweep_row(nets.contenders[i], rows[i].error().rel_error, rows[i].cost));
    results->push_back(compare_row_json(nets.contenders[i], rows[i]));
  }
  *text = compare_table(nets, rows) + note;
  return Status::ok();
}

// Beside each width an allocation that reads as many bytes: more contenders.
Status SweepCommand::add_planned(Networks* nets, Progress& progress) const {
  if (network.overrides.arithmetic == Arithmetic::integers) {
    nets->no_plan_note = "no planned widths: allocations are measured in floats\n";
    return Status::ok();
  }
  QuantizeFlags flags = network.quantize;
  if (data.given()) {
    PBATCH_ASSIGN_OR_RETURN(const Dataset dataset, data.load());
    for (const InputData& input : dataset.data) {
      flags.options.samples.push_back({input.name, input.data, input.pixels});
    }
  } else {
    PBATCH_RETURN_IF_ERROR(flags.load_samples(network.file));
  }
  Result<RecordedInputs> fed = record_inputs(network.file, flags.options, *nets->options.pool);
  if (!fed) {
    nets->no_plan_note = "no planned widths: " + fed.status().message() + "\n";
    return Status::ok();
  }
  WidthRange widths;
  widths.fixed = network.overrides.layers;
  widths.exact = network.overrides.exact;
  for (const Contender& c : nets->contenders) {
    const LayerPrecision& p = c.precision.all;
    if (p.weight_bits == 32 || !c.baseline.empty() || !c.allocation.empty()) continue;
    widths.weight_bits.push_back(p.weight_bits);
    widths.activation_bits.push_back(p.activation_bits);
  }
  if (widths.weight_bits.empty()) return Status::ok();
  PBATCH_ASSIGN_OR_RETURN(
      const std::vector<PlannedWidth> planned,
      plan_frontier(nets->quantized_on_cpu(), fed->sets, widths, kPlanSeconds, progress));
  for (const PlannedWidth& p : planned) {
    nets->contenders.push_back(
        {&*nets->quantized, p.precision, {}, fmt::format("planned {}", p.weight_bits)});
    ++nets->planned;
  }
  return Status::ok();
}

Status SweepCommand::measure(const Networks& nets, SweepPage* page, std::string* text,
                             nlohmann::json* json) const {
  ProgressBar bar;
  nlohmann::json results = nlohmann::json::array();
  std::vector<NamedTensor> sample;
  PBATCH_RETURN_IF_ERROR(data.given()
                             ? measure_labelled(nets, bar, page, text, &results, &sample)
                             : measure_unlabelled(nets, bar, page, text, &results, &sample));
  int activation_bits = 8;
  for (const Contender& c : nets.contenders) {
    const LayerPrecision& p = c.precision.all;
    if (p.weight_bits == 32 || !c.baseline.empty() || !c.allocation.empty()) continue;
    activation_bits = std::max(activation_bits, p.activation_bits);
    if (std::find(page->layer_widths.begin(), page->layer_widths.end(), p.weight_bits) ==
        page->layer_widths.end()) {
      page->layer_widths.push_back(p.weight_bits);
    }
  }
  PBATCH_ASSIGN_OR_RETURN(page->layers,
                          layer_errors(nets.quantized_on_cpu(), nets.contenders[0], sample,
                                       page->layer_widths, activation_bits, bar));
  nlohmann::json planned = nlohmann::json::array();
  const auto first = results.end() - static_cast<std::ptrdiff_t>(nets.planned);
  planned.insert(planned.end(), first, results.end());
  results.erase(first, results.end());
  (*json)["results"] = results;
  (*json)["planned"] = planned;
  (*json)["layer_widths"] = page->layer_widths;
  (*json)["layers"] = nlohmann::json::array();
  for (const LayerErrors& l : page->layers) {
    (*json)["layers"].push_back({{"name", l.layer}, {"rel_error", l.rel_error}});
  }
  return Status::ok();
}

Status SweepCommand::run() const {
  PBATCH_RETURN_IF_ERROR(check_output_files(output, {page_file}, data.sources()));
  PBATCH_ASSIGN_OR_RETURN(const auto nets, open_networks(network));
  PBATCH_RETURN_IF_ERROR(check_output_files(output, {page_file}, nets->files()));
  PBATCH_RETURN_IF_ERROR(check_output_files(output, {page_file}, inputs.sources(*nets->quantized)));
  SweepPage page;
  PBATCH_ASSIGN_OR_RETURN(page.conditions, conditions_here(nets->quantized->threads()));
  page.file = network.file;
  page.float_source = nets->float_source;
  nlohmann::json json = json_head(page.conditions);
  add_device(*nets->quantized, json);
  json["file"] = network.file;
  json["float_source"] = nets->float_source;
  json["page"] = page_file;
  {
    ProgressBar bar;
    if (Status s = add_planned(nets.get(), bar); !s) return std::move(s).in_file(network.file);
  }
  std::string text;
  if (Status s = measure(*nets, &page, &text, &json); !s) {
    return std::move(s).in_file(network.file);
  }
  return deliver(output,
                 text + nets->no_plan_note + float_side_line(*nets) +
                     device_line(network.device, *nets->quantized) +
                     conditions_line(page.conditions) + "page: " + printable(page_file) + "\n",
                 json, {{page_file, sweep_page_html(page)}});
}

}  // namespace

void add_sweep(CLI::App& app, Work& work) {
  auto command = std::make_shared<SweepCommand>();
  CLI::App* sub = app.add_subcommand(
      "sweep", "eval, or compare without labels, with the frontier as one HTML page");
  command->network.add_to(*sub);
  command->data.add_to(*sub);
  command->inputs.add_to(*sub);
  sub->add_option("-o,--output", command->page_file, "The page to write")
      ->required()
      ->type_name("HTML");
  add_seconds_option(*sub, command->data.options.timing);
  command->network.threads.add_to(*sub);
  command->network.device.add_to(*sub);
  add_json_option(*sub, command->output);
  sub->callback([command, &work] {
    command->network.parse();
    refuse_8s(command->network.activation_bits, "pages show 8, 16 and 32; 'pbatch compare' has 8s");
    command->data.parse();
    command->inputs.parse();
    if (command->data.given() && (!command->inputs.files.empty() || command->inputs.seed)) {
      throw CLI::ValidationError("--data", "--input and --random are for runs without --data");
    }
    work = [command] { return command->run(); };
  });
}

}  // namespace pbatch::cli
