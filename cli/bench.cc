#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "cli/bits.h"
#include "cli/command.h"
#include "cli/progress_bar.h"
#include "cli/threads.h"
#include "cli/tune.h"
#include "tools/bench/costs_in_use.h"
#include "tools/bench/gemv_bench.h"
#include "tools/bench/process_cpus.h"
#include "tools/render/table.h"
#include "tools/render/text.h"

namespace pbatch::cli {
namespace {

constexpr std::int64_t kMaxSide = 1 << 20;
constexpr std::int64_t kMaxElements = std::int64_t{1} << 28;  // 1 GiB of float weights
constexpr int kMaxBatch = 4096;
constexpr double kTuneSeconds = 0.02;

struct BenchCommand {
  std::string shapes_text, bits_text = "1:8", abits_text = "8,16", batch_text = "1", threads_text,
                           cpus_text;
  bool tune = false;
  CLI::Option* cpus_option = nullptr;
  GemvBenchOptions options;
  OutputOptions output;

  void parse();
  Status run() const;
};

GemvShape parse_matrix_shape(const std::string& text) {
  const auto bad = [&text](const std::string& why) {
    return CLI::ValidationError("--gemv", "'" + text + "' " + why);
  };
  GemvShape shape;
  const char* const end = text.data() + text.size();
  const auto rows = std::from_chars(text.data(), end, shape.rows);
  if (rows.ec != std::errc() || rows.ptr == end || *rows.ptr != 'x') {
    throw bad("is not ROWSxCOLS, e.g. 4096x4096");
  }
  const auto cols = std::from_chars(rows.ptr + 1, end, shape.cols);
  if (cols.ec != std::errc() || cols.ptr != end) throw bad("is not ROWSxCOLS, e.g. 4096x4096");
  if (shape.rows < 1 || shape.cols < 1 || shape.rows > kMaxSide || shape.cols > kMaxSide ||
      shape.rows * shape.cols > kMaxElements) {
    throw bad("is too large or too small; sides go from 1 to 2^20, the product to 2^28");
  }
  return shape;
}

void BenchCommand::parse() {
  if (tune) return;
  if (shapes_text.empty()) {
    throw CLI::ValidationError("--gemv", "or --tune is required, e.g. --gemv 4096x4096");
  }
  options.weight_bits = parse_weight_bits(bits_text);
  for (const int bits : options.weight_bits) {
    if (bits == 32) {
      throw CLI::ValidationError("--bits", "32 is what the float libraries beside the kernels do");
    }
  }
  options.activation_bits = parse_activation_bits(abits_text);
  refuse_8s(options.activation_bits, "products are measured with 8, 16 and 32");
  options.batches = parse_counts(batch_text, "--batch", kMaxBatch);
  if (cpus_option->count() > 0) options.cpus = parse_cpus(cpus_text);
  const int cpus =
      options.cpus.empty() ? process_cpu_count() : static_cast<int>(options.cpus.size());
  options.threads = threads_text.empty() ? std::vector<int>{cpus}
                                         : parse_counts(threads_text, "--threads", kMaxThreads);
  const int most = *std::max_element(options.threads.begin(), options.threads.end());
  if (!options.cpus.empty() && most > cpus) {
    throw CLI::ValidationError("--cpus", "'" + cpus_text + "' names " + std::to_string(cpus) +
                                             " CPUs for " + std::to_string(most) + " threads");
  }
  std::size_t begin = 0;
  while (begin <= shapes_text.size()) {
    const std::size_t end = std::min(shapes_text.find(',', begin), shapes_text.size());
    options.shapes.push_back(parse_matrix_shape(shapes_text.substr(begin, end - begin)));
    begin = end + 1;
  }
}

Status BenchCommand::run() const {
  PBATCH_RETURN_IF_ERROR(check_output_files(output, {}, {}));
  if (!options.cpus.empty()) PBATCH_RETURN_IF_ERROR(confine_process(options.cpus));
  PBATCH_ASSIGN_OR_RETURN(const RunConditions conditions, conditions_here(options.threads.back()));
  PBATCH_ASSIGN_OR_RETURN(const CostsInUse source, costs_in_use());
  Result<GemvBenchResult> result = [&] {
    GemvBenchOptions with_costs = options;
    with_costs.costs = source.costs;
    ProgressBar bar;
    return gemv_bench(with_costs, bar);
  }();
  if (!result) return result.status();

  nlohmann::json json = json_head(conditions);
  json["group"] = options.group;
  json["kernel_costs"] = source.origin;
  json["results"] = nlohmann::json::array();
  json["ceilings"] = nlohmann::json::array();
  Table table({"matrix", "batch", "threads", "kernel", "bits", "median", "min", "GB/s", "GMAC/s",
               "of reading"});
  for (const GemvBenchRow& r : result->rows) {
    nlohmann::json share;
    if (r.share_of_read) share = *r.share_of_read;
    json["results"].push_back({{"rows", r.shape.rows},
                               {"cols", r.shape.cols},
                               {"batch", r.batch},
                               {"threads", r.threads},
                               {"cold", r.cold},
                               {"kernel", r.kernel},
                               {"weight_bits", r.weight_bits},
                               {"activation_bits", r.activation_bits},
                               {"min_us", r.min_us},
                               {"median_us", r.median_us},
                               {"gbps", r.gbps},
                               {"gmacs", r.gmacs},
                               {"share_of_read", share}});
    table.add({fmt::format("{}x{}", r.shape.rows, r.shape.cols), std::to_string(r.batch),
               std::to_string(r.threads), r.kernel,
               fmt::format("{},{}", r.weight_bits, r.activation_bits), human_time(r.median_us),
               human_time(r.min_us), short_number(r.gbps), short_number(r.gmacs),
               r.share_of_read ? fmt::format("{:.0f} %", 100 * *r.share_of_read) : "-"});
  }
  Table ceilings({"matrix", "threads", "ceiling", "median", "min", "GB/s", "GMAC/s"});
  for (const GemvCeiling& c : result->ceilings) {
    json["ceilings"].push_back({{"rows", c.shape.rows},
                                {"cols", c.shape.cols},
                                {"threads", c.threads},
                                {"cold", c.cold},
                                {"kind", c.kind},
                                {"bytes", c.bytes},
                                {"huge_pages", c.huge_pages},
                                {"min_us", c.min_us},
                                {"median_us", c.median_us},
                                {"gbps", c.gbps},
                                {"gmacs", c.gmacs}});
    const bool reads = c.bytes > 0;
    ceilings.add({fmt::format("{}x{}", c.shape.rows, c.shape.cols), std::to_string(c.threads),
                  reads ? fmt::format("{} {}{}", c.kind, human_bytes(static_cast<double>(c.bytes)),
                                      c.huge_pages ? ", huge pages" : "")
                        : c.kind,
                  human_time(c.median_us), human_time(c.min_us), reads ? short_number(c.gbps) : "-",
                  reads ? "-" : short_number(c.gmacs)});
  }
  return deliver(output,
                 table.to_string() + '\n' + ceilings.to_string() +
                     (options.cold ? "cold: weights rotate over about 300 MB\n"
                                   : "hot: the same weights each time\n") +
                     "kernels chosen by costs: " + printable(source.origin) + "\n" +
                     conditions_line(conditions),
                 json);
}

}  // namespace

void add_bench(CLI::App& app, Work& work) {
  auto command = std::make_shared<BenchCommand>();
  CLI::App* sub = app.add_subcommand(
      "bench", "Time kernels beside oneDNN and OpenBLAS on random matrices, answers checked first");
  sub->add_option("--gemv", command->shapes_text, "Matrices, e.g. 4096x4096,1024x784")
      ->type_name("ROWSxCOLS,...");
  sub->add_option("--bits", command->bits_text, "Weight bits")
      ->type_name("LIST")
      ->capture_default_str();
  sub->add_option("--abits", command->abits_text, "Activation bits: 8, 16, 32")
      ->type_name("LIST")
      ->capture_default_str();
  sub->add_option("--batch", command->batch_text, "Vectors at once")
      ->type_name("LIST")
      ->capture_default_str();
  sub->add_option("--threads", command->threads_text, "Thread counts; default: one per CPU")
      ->type_name("LIST");
  command->cpus_option = add_cpus_option(*sub, command->cpus_text);
  sub->add_option("--group", command->options.group, "Columns per scale; 0: whole rows")
      ->check(CLI::IsMember({0, 32, 64, 128}))
      ->capture_default_str();
  sub->add_flag("--cold", command->options.cold,
                "Rotate over about 300 MB of weights, so that they come from memory");
  sub->add_flag("--peers,!--no-peers", command->options.peers,
                "With or without oneDNN and OpenBLAS; default: with");
  sub->add_option("--kernel", command->options.kernels,
                  "A kernel by name instead of the one a session chooses; may be repeated")
      ->type_name("NAME")
      ->allow_extra_args(false);
  std::vector<CLI::Option*> of_gemv = sub->get_options();
  CLI::Option* const seconds =
      sub->add_option("--seconds", command->options.timing.seconds,
                      "Timed work per row, about; with --tune per kernel and product, default 0.02")
          ->check(CLI::Range(0.0, 3600.0))
          ->type_name("S")
          ->capture_default_str();
  CLI::Option* const tune_flag = sub->add_flag(
      "--tune", command->tune,
      "Instead of --gemv: measure on this machine what every kernel costs, and keep it in the "
      "cache folder, where sessions find it");
  for (CLI::Option* option : of_gemv) {
    if (option != sub->get_help_ptr()) tune_flag->excludes(option);
  }
  add_json_option(*sub, command->output);
  sub->callback([command, seconds, &work] {
    command->parse();
    if (command->tune) {
      const double each = seconds->count() > 0 ? command->options.timing.seconds : kTuneSeconds;
      work = [command, each] { return tune(each, command->output); };
      return;
    }
    work = [command] { return command->run(); };
  });
}

}  // namespace pbatch::cli
