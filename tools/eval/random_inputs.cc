#include "tools/eval/random_inputs.h"

#include <fmt/format.h>

#include <algorithm>
#include <random>

#include "base/printable.h"
#include "feed/free_dims.h"
#include "tools/eval/free_shapes.h"

namespace pbatch {
namespace {

constexpr std::int64_t kMaxRandomElements = std::int64_t{1} << 31;

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

}  // namespace

Result<std::vector<NamedTensor>> random_inputs_that_run(const Contender& trial,
                                                        const std::vector<LayerInfo>& layers,
                                                        std::uint64_t seed,
                                                        const std::map<std::string, Shape>& given,
                                                        std::string* note) {
  const Session& session = *trial.session;
  PBATCH_RETURN_IF_ERROR(check_shape_names(session, given));
  const FreeDims dims(session.inputs(), given, 0, sizes_read_by(layers));
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
  return needs_shapes(session, why, ", or --input NAME=FILE");
}

}  // namespace pbatch
