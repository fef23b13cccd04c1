// Inputs for compare and sweep: from files, or random.
#include "cli/measure.h"
#include "cli/shapes.h"
#include "tools/eval/random_inputs.h"
#include "tools/io/port_files.h"
#include "tools/render/text.h"

namespace pbatch::cli {
namespace {

constexpr std::uint64_t kDefaultSeed = 1;

}  // namespace

void InputFlags::add_to(CLI::App& command) {
  command.add_option("--input", files, "A .npy or IDX file for each input; default: random inputs")
      ->type_name("NAME=FILE")
      ->allow_extra_args(false);
  command.add_option("--random", seed, "Seed of random inputs; default: 1")->type_name("SEED");
  shapes.add_to(command, "Shape of a random input with free dimensions");
}

void InputFlags::parse() const {
  if (!files.empty() && (seed || !shapes.texts.empty())) {
    throw CLI::ValidationError("--input", "--random and --shape are for runs without --input");
  }
  shapes.parse();
}

std::vector<std::string> InputFlags::sources(const Session& session) const {
  std::vector<std::string> sources;
  for (const std::string& text : files) {
    sources.push_back(parse_port_file(text, session.inputs()).file);
  }
  return sources;
}

Result<std::vector<NamedTensor>> InputFlags::load(const Contender& trial, const Session& quantized,
                                                  std::string* note) const {
  const Session& session = *trial.session;
  if (files.empty()) {
    return random_inputs_that_run(trial, quantized.layers(), seed.value_or(kDefaultSeed),
                                  shapes.parse(), note);
  }
  std::vector<PortFile> ports;
  *note = "inputs:";
  for (const std::string& text : files) {
    ports.push_back(parse_port_file(text, session.inputs()));
    *note += " " + printable(text);
  }
  *note += "\n";
  return load_inputs(session.inputs(), ports);
}

}  // namespace pbatch::cli
