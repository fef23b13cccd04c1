// --shape NAME=D1xD2..., for inputs with free dimensions.
#pragma once

#include <CLI/CLI.hpp>
#include <map>
#include <string>
#include <vector>

#include "pbatch/session.h"

namespace pbatch::cli {

struct ShapeFlags {
  std::vector<std::string> texts;

  void add_to(CLI::App& command, const std::string& description);
  /// By input; throws CLI::ValidationError.
  std::map<std::string, Shape> parse() const;
};

/// An error for a name that is none of the session's inputs.
Status check_shape_names(const Session& session, const std::map<std::string, Shape>& given);

/// The error where no sizes that were tried let a network run, of which `why` was the first.
/// `else_`: what helps besides --shape.
Status needs_shapes(const Session& session, const Status& why, const std::string& else_);

}  // namespace pbatch::cli
