// Inputs for compare and sweep: from files, or random.
#include <fmt/format.h>

#include <map>
#include <random>

#include "cli/measure.h"
#include "cli/ports.h"
#include "report/text.h"

namespace pbatch::cli {
namespace {

constexpr std::uint64_t kDefaultSeed = 1;
constexpr std::int64_t kMaxRandomElements = std::int64_t{1} << 31;

struct NamedShape {
  std::string name;
  Shape shape;
};

NamedShape parse_shape(const std::string& text) {
  const auto bad = [&text]() {
    return CLI::ValidationError("--shape",
                                "'" + text + "' is not NAME=D1xD2x..., e.g. x=1x3x224x224");
  };
  const std::size_t equals = text.rfind('=');
  if (equals == std::string::npos || equals == 0 || equals + 1 == text.size()) throw bad();
  NamedShape out{text.substr(0, equals), {0}};
  bool digit = false;
  for (const char c : text.substr(equals + 1)) {
    if (c == 'x' && digit) {
      out.shape.push_back(0);
      digit = false;
    } else if (c >= '0' && c <= '9' && out.shape.back() < 100'000'000) {
      out.shape.back() = out.shape.back() * 10 + (c - '0');
      digit = true;
    } else {
      throw bad();
    }
  }
  if (!digit) throw bad();
  return out;
}

// Floats from a standard normal distribution; integers, which are often
// indices, 0 or 1, so that they are in range wherever two classes exist.
Result<Tensor> random_tensor(DType type, const Shape& shape, std::mt19937_64& random) {
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t count, checked_element_count(shape, dtype_size(type)));
  if (count > kMaxRandomElements) {
    return Status(ErrorCode::invalid_argument, "that is too many random elements",
                  "give a smaller --shape");
  }
  PBATCH_ASSIGN_OR_RETURN(Tensor t, Tensor::create(type, shape));
  std::normal_distribution<float> normal;
  if (type == DType::f32) {
    for (std::int64_t i = 0; i < count; ++i) t.mutable_data<float>()[i] = normal(random);
    return t;
  }
  if (type == DType::f64) {
    for (std::int64_t i = 0; i < count; ++i) t.mutable_data<double>()[i] = normal(random);
    return t;
  }
  if (type == DType::f16 || type == DType::bf16) {
    return Status(ErrorCode::unsupported, std::string("no random ") + dtype_name(type) + " inputs",
                  "give --input NAME=FILE");
  }
  auto* bytes = static_cast<unsigned char*>(t.mutable_raw());
  std::fill_n(bytes, t.bytes(), 0);
  for (std::int64_t i = 0; i < count; ++i) {  // little-endian: the low byte comes first
    bytes[static_cast<std::size_t>(i) * dtype_size(type)] = random() & 1;
  }
  return t;
}

Result<std::vector<NamedTensor>> random_inputs(const Session& session, std::uint64_t seed,
                                               std::map<std::string, Shape> shapes,
                                               std::string* note) {
  std::mt19937_64 random(seed);
  std::vector<NamedTensor> inputs;
  *note = fmt::format("inputs: random, seed {}", seed);
  for (const PortInfo& port : session.inputs()) {
    Shape shape = port.shape;
    std::string chosen;
    if (const auto given = shapes.find(port.name); given != shapes.end()) {
      shape = given->second;
      shapes.erase(given);
    } else {
      for (std::int64_t& d : shape) {
        if (d < 0) {
          d = 1;
          chosen = ", free dimensions taken as 1";
        }
      }
    }
    auto tensor = random_tensor(port.dtype, shape, random);
    if (!tensor) {
      return Status(tensor.status().code(),
                    "input '" + port.name + "': " + tensor.status().message(),
                    tensor.status().remedy());
    }
    *note += fmt::format("; {} {}{}", printable(port.name), shape_to_string(shape), chosen);
    inputs.push_back({port.name, *std::move(tensor)});
  }
  if (!shapes.empty()) {
    std::string known;
    for (const PortInfo& port : session.inputs()) {
      known += (known.empty() ? "'" : ", '") + port.name + "' (" + describe_type(port) + ")";
    }
    return Status(ErrorCode::not_found, "the network has no input '" + shapes.begin()->first + "'",
                  "its inputs are " + known);
  }
  *note += "\n";
  return inputs;
}

}  // namespace

void InputFlags::add_to(CLI::App& command) {
  command.add_option("--input", files, "A .npy or IDX file for each input; default: random inputs")
      ->type_name("NAME=FILE")
      ->allow_extra_args(false);
  command.add_option("--random", seed, "Seed of random inputs; default: 1")->type_name("SEED");
  command.add_option("--shape", shapes, "Shape of a random input with free dimensions")
      ->type_name("NAME=D1xD2")
      ->allow_extra_args(false);
}

void InputFlags::parse() const {
  if (!files.empty() && (seed || !shapes.empty())) {
    throw CLI::ValidationError("--input", "--random and --shape are for runs without --input");
  }
  for (const std::string& text : shapes) parse_shape(text);
}

Result<std::vector<NamedTensor>> InputFlags::load(const Session& session, std::string* note) const {
  if (files.empty()) {
    std::map<std::string, Shape> by_name;
    for (const std::string& text : shapes) {
      NamedShape given = parse_shape(text);
      by_name[given.name] = given.shape;
    }
    return random_inputs(session, seed.value_or(kDefaultSeed), std::move(by_name), note);
  }
  std::vector<PortFile> ports;
  *note = "inputs:";
  for (const std::string& text : files) {
    ports.push_back(parse_port_file(text));
    *note += " " + printable(text);
  }
  *note += "\n";
  return load_inputs(session, ports);
}

}  // namespace pbatch::cli
