#include "cli/eval_task.h"

#include <algorithm>

#include "report/environments/environment.h"

namespace pbatch::cli {
namespace {

std::pair<std::string, std::string> parse_pair(const std::string& option, const std::string& text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0 || equals + 1 == text.size()) {
    throw CLI::ValidationError(option, "'" + text + "' is not IN=OUT");
  }
  return {text.substr(0, equals), text.substr(equals + 1)};
}

}  // namespace

void EvalFlags::add_data_options(CLI::App& command) {
  data.add_to(command);
  options_.push_back({command.get_option("--data"), {"classify"}, true});
  options_.push_back({command.get_option("--labels"), {"classify"}, true});
  options_.push_back({command.get_option("--batch"), {"classify"}});
  options_.push_back({command.get_option("--limit"), {"classify"}});
}

void EvalFlags::add_step_options(CLI::App& command) {
  options_.push_back(
      {command
           .add_option("--input", ports.options.input,
                       "The input that is fed at every step, where that is not clear")
           ->type_name("NAME"),
       {"control"}});
  options_.push_back({command
                          .add_option("--output", ports.options.output,
                                      "The output that is read; classify: default "
                                      "the first")
                          ->type_name("NAME"),
                      {"control"}});
  options_.push_back({command
                          .add_option("--state", ports.state_texts,
                                      "A state: the input, and the output that is fed into it at "
                                      "the next step; may be repeated")
                          ->type_name("IN=OUT")
                          ->allow_extra_args(false),
                      {"control"}});
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

void EvalFlags::add_to(CLI::App& command) {
  network.add_to(command);
  command.add_option("--task", task, "What the network does")
      ->check(CLI::IsMember({"classify", "control"}))
      ->capture_default_str();
  add_data_options(command);
  add_step_options(command);
  add_control_options(command);
  add_seconds_option(command, data.options.timing);
  network.threads.add_to(command);
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
  for (const std::string& text : ports.state_texts) {
    ports.options.states.push_back(parse_pair("--state", text));
  }
}

std::unique_ptr<EvalTask> make_task(const EvalFlags& flags) {
  if (flags.task == "control") return make_control_task(flags);
  return make_classify_task(flags);
}

}  // namespace pbatch::cli
