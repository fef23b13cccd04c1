#include "cli/eval_task.h"

#include <algorithm>

#include "tools/eval/environments/environment.h"

namespace pbatch::cli {
namespace {

std::pair<std::string, std::string> parse_pair(const std::string& option, const std::string& text,
                                               const std::string& form = "IN=OUT") {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0 || equals + 1 == text.size()) {
    throw CLI::ValidationError(option, "'" + text + "' is not " + form);
  }
  return {text.substr(0, equals), text.substr(equals + 1)};
}

}  // namespace

void EvalFlags::add_data_options(CLI::App& command) {
  data.add_to(command);
  options_.push_back({command.get_option("--data"), {"classify", "lm", "seq2seq", "stream"}, true});
  options_.push_back({command.get_option("--labels"), {"classify"}, true});
  options_.push_back({command.get_option("--batch"), {"classify"}});
  options_.push_back({command.get_option("--batch-axis"), {"classify"}});
  options_.push_back({command.get_option("--limit"), {"classify", "lm", "seq2seq", "stream"}});
}

void EvalFlags::add_step_options(CLI::App& command) {
  options_.push_back(
      {command
           .add_option("--input", ports.options.input,
                       "The input that is fed at every step, where that is not clear")
           ->type_name("NAME"),
       {"lm", "seq2seq", "control", "stream"}});
  options_.push_back({command
                          .add_option("--output", ports.options.output,
                                      "The output that is read; classify: default "
                                      "the first")
                          ->type_name("NAME"),
                      {"classify", "lm", "seq2seq", "control", "stream"}});
  options_.push_back({command
                          .add_option("--state", ports.state_texts,
                                      "A state: the input, and the output that is fed into it at "
                                      "the next step; may be repeated")
                          ->type_name("IN=OUT")
                          ->allow_extra_args(false),
                      {"lm", "seq2seq", "control", "stream"}});
}

void EvalFlags::add_sequence_options(CLI::App& command) {
  options_.push_back({command
                          .add_option("--layout", sequence.layout,
                                      "The first axis of the token input, where that is not clear")
                          ->check(CLI::IsMember({"batch-first", "time-first"})),
                      {"lm", "seq2seq"}});
  options_.push_back(
      {command
           .add_option("--streams", sequence.streams,
                       "Parts of the text that are read side by side; default: 1, or "
                       "the rows of the array")
           ->check(CLI::Range(1, 1 << 20))
           ->type_name("B"),
       {"lm"}});
  options_.push_back(
      {command
           .add_option("--steps", sequence.steps,
                       "Tokens of each stream in one run; default: 64, or as the network fixes")
           ->check(CLI::Range(1, 1 << 20))
           ->type_name("T"),
       {"lm"}});
  options_.push_back({command
                          .add_option("--warmup", sequence.warmup,
                                      "Tokens at each stream's start that are read and not counted")
                          ->check(CLI::NonNegativeNumber)
                          ->capture_default_str()
                          ->type_name("N"),
                      {"lm"}});
}

void EvalFlags::add_seq2seq_options(CLI::App& command) {
  const auto add = [this](CLI::Option* option, bool required = false) {
    options_.push_back({option, {"seq2seq"}, required});
  };
  constexpr std::int64_t kMaxToken = INT32_MAX;
  add(command.add_option("--decoder", seq2seq.decoder, "The decoder; FILE is the encoder")
          ->type_name("FILE"),
      true);
  add(command
          .add_option("--decoder-float", seq2seq.decoder_float,
                      "The float network of the decoder to compare with")
          ->type_name("ONNX"));
  add(command
          .add_option("--feed", seq2seq.feed_texts,
                      "An input of the decoder, and the encoder's output that it starts from; may "
                      "be repeated")
          ->type_name("IN=OUT")
          ->allow_extra_args(false));
  add(command.add_option("--start", seq2seq.start, "The token that the decoder is fed first")
          ->check(CLI::Range(std::int64_t{0}, kMaxToken))
          ->type_name("TOKEN"),
      true);
  add(command.add_option("--stop", seq2seq.stop, "The token that ends an answer")
          ->check(CLI::Range(std::int64_t{0}, kMaxToken))
          ->type_name("TOKEN"),
      true);
  add(command
          .add_option("--max-length", seq2seq.max_length, "Tokens of an answer that never stops")
          ->check(CLI::Range(1, 1 << 20))
          ->capture_default_str()
          ->type_name("N"));
}

void EvalFlags::add_control_options(CLI::App& command) {
  const auto add = [this](CLI::Option* option, bool required = false) {
    options_.push_back({option, {"control"}, required});
  };
  add(command.add_option("--env", control.environment, "The environment to play in")
          ->check(CLI::IsMember(environment_names())),
      true);
  add(command.add_option("--episodes", control.episodes, "Episodes to play")
          ->check(CLI::Range(1, 1 << 20))
          ->capture_default_str()
          ->type_name("N"));
  add(command
          .add_option("--seed", control.seed, "Seed of the first episode; the next have the next")
          ->capture_default_str()
          ->type_name("N"));
}

void EvalFlags::add_stream_options(CLI::App& command) {
  options_.push_back({command
                          .add_option("--constant", stream.constant_texts,
                                      "An input that is the same at every step, such as a sampling "
                                      "rate; may be repeated")
                          ->type_name("NAME=FILE")
                          ->allow_extra_args(false),
                      {"stream"}});
}

void EvalFlags::add_to(CLI::App& command) {
  network.add_to(command);
  command.add_option("--task", task, "What the network does")
      ->check(CLI::IsMember({"classify", "lm", "seq2seq", "control", "stream"}))
      ->capture_default_str();
  add_data_options(command);
  add_step_options(command);
  add_sequence_options(command);
  add_seq2seq_options(command);
  add_control_options(command);
  add_stream_options(command);
  cascade.add_to(command);
  options_.push_back({cascade.option, {"classify"}});
  add_seconds_option(command, data.options.timing);
  network.threads.add_to(command);
  network.device.add_to(command);
}

void EvalFlags::parse() {
  network.parse();
  for (const TaskOption& o : options_) {
    const bool applies = std::find(o.tasks.begin(), o.tasks.end(), task) != o.tasks.end();
    if (applies && o.required && o.option->count() == 0) {
      throw CLI::ValidationError(o.option->get_name(), "--task " + task + " needs it");
    }
    if (!applies && o.option->count() > 0) {
      throw CLI::ValidationError(o.option->get_name(), "--task " + task + " does not take it");
    }
  }
  if (task == "seq2seq" && !network.allocations.empty()) {
    throw CLI::ValidationError("--allocation",
                               "--task seq2seq runs two networks, and an allocation is for one; "
                               "name the layers with --layer");
  }
  if (task == "classify") data.parse();
  if (cascade.given()) cascade.parse(network.activation_bits, network.overrides);
  if (task != "classify" && data.data.size() > 1) {
    throw CLI::ValidationError("--data", "--task " + task + " takes one file");
  }
  if (!sequence.layout.empty()) {
    sequence.first_axis = sequence.layout == "batch-first" ? FirstAxis::batch : FirstAxis::time;
  }
  for (const std::string& text : ports.state_texts) {
    ports.options.states.push_back(parse_pair("--state", text));
  }
  for (const std::string& text : seq2seq.feed_texts) {
    seq2seq.feeds.push_back(parse_pair("--feed", text));
  }
  for (const std::string& text : stream.constant_texts) {
    stream.constants.push_back(parse_pair("--constant", text, "NAME=FILE"));
  }
}

std::vector<std::string> EvalFlags::sources() const {
  std::vector<std::string> files = data.sources();
  for (const std::string& text : cascade.calibration) files.push_back(data_file(text));
  for (const auto& file :
       {network.file, network.float_file, seq2seq.decoder, seq2seq.decoder_float}) {
    files.push_back(file);
  }
  for (const auto& [input, file] : stream.constants) files.push_back(file);
  return files;
}

std::unique_ptr<EvalTask> make_task(const EvalFlags& flags) {
  if (flags.task == "stream") return make_stream_task(flags);
  if (flags.task == "control") return make_control_task(flags);
  if (flags.task == "seq2seq") return make_seq2seq_task(flags);
  if (flags.task == "lm") return make_lm_task(flags);
  return make_classify_task(flags);
}

}  // namespace pbatch::cli
