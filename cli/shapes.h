// --shape NAME=D1xD2..., for inputs with free dimensions.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "cli/options.h"
#include "pbatch/tensor.h"

namespace pbatch::cli {

struct ShapeFlags {
  std::vector<std::string> texts;

  void add_to(CLI::App& command, const std::string& description);
  /// By input; throws CLI::ValidationError.
  std::map<std::string, Shape> parse() const;
};

}  // namespace pbatch::cli
