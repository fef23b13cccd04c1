#include "cli/shapes.h"

#include <utility>

namespace pbatch::cli {
namespace {

std::pair<std::string, Shape> parse_shape(const std::string& text) {
  const auto bad = [&text]() {
    return CLI::ValidationError("--shape",
                                "'" + text + "' is not NAME=D1xD2x..., e.g. x=1x3x224x224");
  };
  const std::size_t equals = text.rfind('=');
  if (equals == std::string::npos || equals == 0 || equals + 1 == text.size()) throw bad();
  Shape shape{0};
  bool digit = false;
  for (const char c : text.substr(equals + 1)) {
    if (c == 'x' && digit) {
      shape.push_back(0);
      digit = false;
    } else if (c >= '0' && c <= '9' && shape.back() < 100'000'000) {
      shape.back() = shape.back() * 10 + (c - '0');
      digit = true;
    } else {
      throw bad();
    }
  }
  if (!digit) throw bad();
  return {text.substr(0, equals), std::move(shape)};
}

}  // namespace

void ShapeFlags::add_to(CLI::App& command, const std::string& description) {
  command.add_option("--shape", texts, description)
      ->type_name("NAME=D1xD2")
      ->allow_extra_args(false);
}

std::map<std::string, Shape> ShapeFlags::parse() const {
  std::map<std::string, Shape> by_name;
  for (const std::string& text : texts) {
    auto [name, shape] = parse_shape(text);
    by_name[name] = std::move(shape);
  }
  return by_name;
}

}  // namespace pbatch::cli
