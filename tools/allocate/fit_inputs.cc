#include "tools/allocate/fit_inputs.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

namespace pbatch {
namespace {

using Inputs = std::vector<NamedTensor>;

// Of a run after one that prepares.
Result<double> seconds_of(const Session& session, const Precision& precision,
                          const Inputs& inputs) {
  PBATCH_RETURN_IF_ERROR(session.run(inputs, precision).status());
  const auto begin = std::chrono::steady_clock::now();
  PBATCH_RETURN_IF_ERROR(session.run(inputs, precision).status());
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

// The first half of the rows of each input; none if they have not the same number of them.
std::optional<Inputs> first_half(const Inputs& inputs) {
  Inputs half;
  for (const NamedTensor& input : inputs) {
    Shape shape = input.tensor.shape();
    if (shape.empty() || shape[0] < 2 || shape[0] != inputs[0].tensor.dim(0)) return std::nullopt;
    shape[0] /= 2;
    Result<Tensor> made = Tensor::create(input.tensor.dtype(), std::move(shape));
    if (!made) return std::nullopt;
    std::memcpy(made->mutable_raw(), input.tensor.raw(), made->bytes());
    half.push_back({input.name, *std::move(made)});
  }
  return half;
}

}  // namespace

Result<InputSets> fit_inputs(const Session& session, const Precision& precision, InputSets sets,
                             double times, double seconds) {
  if (sets.empty()) return sets;
  PBATCH_ASSIGN_OR_RETURN(double once, seconds_of(session, precision, sets[0]));
  const double most = seconds / times;
  const double fitting = std::max(1.0, most / std::max(once, 1e-9));
  if (fitting < double(sets.size())) sets.resize(static_cast<std::size_t>(fitting));
  while (once > most) {
    std::optional<Inputs> half = first_half(sets[0]);
    if (!half) break;
    const Result<double> faster = seconds_of(session, precision, *half);
    if (!faster) break;
    sets[0] = *std::move(half);
    once = *faster;
  }
  return sets;
}

}  // namespace pbatch
