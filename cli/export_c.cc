// export-c: a network in integers as C99 source.
#include <fmt/format.h>

#include <filesystem>

#include "cli/bits.h"
#include "cli/command.h"
#include "cli/shapes.h"
#include "tools/eval/free_shapes.h"
#include "tools/render/text.h"

namespace pbatch::cli {
namespace {

struct ExportCommand {
  std::string file, folder, name = "network", bits_text;
  LayerOverrides overrides;
  ShapeFlags shapes;
  LayerPrecision bits;

  Status run() const;
};

Status ExportCommand::run() const {
  PBATCH_ASSIGN_OR_RETURN(const Session session, Session::load(file, {.threads = 1}));
  PBATCH_RETURN_IF_ERROR(overrides.check(session));
  const std::map<std::string, Shape> given = shapes.parse();
  PBATCH_RETURN_IF_ERROR(check_shape_names(session, given));
  std::vector<InputShape> wanted;
  for (const auto& [input, shape] : given) wanted.push_back({input, shape});
  PBATCH_ASSIGN_OR_RETURN(const std::vector<SourceFile> sources,
                          session.export_c(name, overrides.with(bits), wanted));
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  std::vector<std::pair<std::string, std::string>> files;
  for (const SourceFile& source : sources) {
    files.emplace_back((std::filesystem::path(folder) / source.name).string(), source.text);
  }
  return deliver({},
                 fmt::format("{0}: {1} files of C99; 'make -C {0} test' compares the bits\n",
                             printable(folder), sources.size()),
                 {}, files);
}

}  // namespace

void add_export_c(CLI::App& app, Work& work) {
  auto command = std::make_shared<ExportCommand>();
  CLI::App* sub = app.add_subcommand("export-c", "Write a network in integers as C99 for devices");
  sub->add_option("file", command->file, "A pbatch model")->required();
  sub->add_option("-o,--output", command->folder, "The folder to write to")
      ->type_name("DIR")
      ->required();
  sub->add_option("--bits", command->bits_text, "Weight and activation bits")
      ->type_name("W[,A]")
      ->required();
  sub->add_option("--name", command->name, "What its C names begin with")->capture_default_str();
  command->overrides.add_to(*sub);
  command->shapes.add_to(*sub, "Shape of an input with free dimensions; these count 1 else");
  sub->callback([command, sub, &work] {
    command->bits = parse_precision(command->bits_text, "--bits");
    command->overrides.parse();
    const bool says = sub->get_option("--arithmetic")->count() > 0;
    if (says && command->overrides.arithmetic == Arithmetic::floats) {
      throw CLI::ValidationError("--arithmetic", "what is exported computes in integers alone");
    }
    work = [command] { return command->run(); };
  });
}

}  // namespace pbatch::cli
