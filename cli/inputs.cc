// Inputs for compare and sweep: from files, or random.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <random>

#include "cli/measure.h"
#include "cli/ports.h"
#include "report/free_dims.h"
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

Result<std::vector<NamedTensor>> random_inputs(const Session& session, const FreeDims& dims,
                                               const FreeDims::Sizes& sizes,
                                               const std::map<std::string, Shape>& given,
                                               std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<NamedTensor> inputs;
  for (const PortInfo& port : session.inputs()) {
    if (port.optional && given.count(port.name) == 0) continue;
    auto tensor = random_tensor(port.dtype, dims.shape(port, sizes), random);
    if (!tensor) {
      return Status(tensor.status().code(),
                    "input '" + port.name + "': " + tensor.status().message(),
                    tensor.status().remedy());
    }
    inputs.push_back({port.name, *std::move(tensor)});
  }
  return inputs;
}

Status check_names(const Session& session, const std::map<std::string, Shape>& given) {
  for (const auto& [name, shape] : given) {
    std::string known;
    bool found = false;
    for (const PortInfo& port : session.inputs()) {
      found = found || port.name == name;
      known += (known.empty() ? "'" : ", '") + port.name + "' (" + describe_type(port) + ")";
    }
    if (!found) {
      return Status(ErrorCode::not_found, "the network has no input '" + name + "'",
                    "its inputs are " + known);
    }
  }
  return Status::ok();
}

// No sizes that were tried let the network run.
Status needs_shapes(const Session& session, const Status& why) {
  std::string wanted;
  for (const PortInfo& port : session.inputs()) {
    const bool free = std::count_if(port.shape.begin(), port.shape.end(),
                                    [](std::int64_t d) { return d < 0; }) != 0;
    if (free && !port.optional) wanted += " --shape " + port.name + "=D1xD2..";
  }
  Status status(why.code(), "no sizes tried for its free dimensions let it run: " + why.message(),
                "give" + wanted + ", or --input NAME=FILE");
  return std::move(status).at_node(why.node());
}

Result<std::vector<NamedTensor>> inputs_that_run(const Contender& trial, std::uint64_t seed,
                                                 const std::map<std::string, Shape>& given,
                                                 std::string* note) {
  const Session& session = *trial.session;
  PBATCH_RETURN_IF_ERROR(check_names(session, given));
  const FreeDims dims(session.inputs(), given);
  Status why;
  for (const FreeDims::Sizes& sizes : dims.candidates()) {
    auto inputs = random_inputs(session, dims, sizes, given, seed);
    if (!inputs) return inputs;
    if (!dims.empty()) {
      const auto result = session.run(*inputs, trial.precision);
      if (!result) {
        if (why) why = result.status();
        continue;
      }
    }
    *note = fmt::format("inputs: random, seed {}", seed);
    for (const NamedTensor& input : *inputs) {
      *note += fmt::format("; {} {}", printable(input.name), shape_to_string(input.tensor.shape()));
    }
    if (!dims.empty()) *note += "; free dimensions taken as " + printable(dims.describe(sizes));
    *note += "\n";
    return inputs;
  }
  return needs_shapes(session, why);
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

std::vector<std::string> InputFlags::sources(const Session& session) const {
  std::vector<std::string> sources;
  for (const std::string& text : files) {
    sources.push_back(parse_port_file(text, session.inputs()).file);
  }
  return sources;
}

Result<std::vector<NamedTensor>> InputFlags::load(const Contender& trial, std::string* note) const {
  const Session& session = *trial.session;
  if (files.empty()) {
    std::map<std::string, Shape> by_name;
    for (const std::string& text : shapes) {
      NamedShape given = parse_shape(text);
      by_name[given.name] = given.shape;
    }
    return inputs_that_run(trial, seed.value_or(kDefaultSeed), by_name, note);
  }
  std::vector<PortFile> ports;
  *note = "inputs:";
  for (const std::string& text : files) {
    ports.push_back(parse_port_file(text, session.inputs()));
    *note += " " + printable(text);
  }
  *note += "\n";
  return load_inputs(session, ports);
}

}  // namespace pbatch::cli
