#include "api/stage_runner.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "cascade/batch.h"

namespace pbatch {

Result<std::vector<Tensor>> StageRunner::run_once(std::span<const NamedTensor> inputs,
                                                  std::span<const std::int64_t> which, bool are_all,
                                                  const Precision& precision) const {
  std::vector<std::int64_t> padded(which.begin(), which.end());
  if (fixed > 0) padded.resize(static_cast<std::size_t>(fixed), which.back());
  const bool as_given = are_all && padded.size() == which.size();
  std::vector<NamedTensor> fed;
  for (const NamedTensor& input : inputs) {
    const int axis = batch_axis(axes, input.name, input.tensor);
    if (axis < 0 || as_given) {
      fed.push_back(input);
    } else {
      PBATCH_ASSIGN_OR_RETURN(Tensor some, gather_items(input.tensor, axis, padded));
      fed.push_back({input.name, std::move(some)});
    }
  }
  Precision exact = precision;
  exact.exact = true;
  PBATCH_ASSIGN_OR_RETURN(std::vector<Tensor> outputs, session.run(fed, exact));
  for (std::size_t o = 0; o < outputs.size(); ++o) {
    const std::string& name = session.outputs()[o].name;
    const int axis = batch_axis(axes, name, outputs[o]);
    if (axis < 0) continue;
    const auto d = static_cast<std::size_t>(axis);
    if (d >= outputs[o].rank() || outputs[o].dim(d) != static_cast<std::int64_t>(padded.size())) {
      return Status(ErrorCode::shape_mismatch,
                    "output '" + name + "' of shape " + shape_to_string(outputs[o].shape()) +
                        " does not have the " + std::to_string(padded.size()) +
                        " items of its run in dimension " + std::to_string(axis),
                    "say which dimension of the output counts the items");
    }
    if (padded.size() == which.size()) continue;
    std::vector<std::int64_t> first(which.size());
    std::iota(first.begin(), first.end(), 0);
    PBATCH_ASSIGN_OR_RETURN(outputs[o], gather_items(outputs[o], axis, first));
  }
  return outputs;
}

Result<std::vector<Tensor>> StageRunner::run(std::span<const NamedTensor> inputs,
                                             std::span<const std::int64_t> which, bool are_all,
                                             const Precision& precision) const {
  const auto count = static_cast<std::int64_t>(which.size());
  const std::int64_t each = fixed > 0 ? fixed : most > 0 ? most : count;
  if (count <= each) return run_once(inputs, which, are_all, precision);
  std::vector<Tensor> joined;
  for (std::int64_t at = 0; at < count; at += each) {
    const auto part = which.subspan(static_cast<std::size_t>(at),
                                    static_cast<std::size_t>(std::min(each, count - at)));
    PBATCH_ASSIGN_OR_RETURN(std::vector<Tensor> outputs, run_once(inputs, part, false, precision));
    std::vector<std::int64_t> to(part.size());
    std::iota(to.begin(), to.end(), at);
    for (std::size_t o = 0; o < outputs.size(); ++o) {
      const int axis = batch_axis(axes, session.outputs()[o].name, outputs[o]);
      if (at == 0) {
        Tensor whole = outputs[o];
        if (axis >= 0) {
          Shape shape = whole.shape();
          shape[static_cast<std::size_t>(axis)] = count;
          PBATCH_ASSIGN_OR_RETURN(whole, Tensor::create(whole.dtype(), std::move(shape)));
        }
        joined.push_back(std::move(whole));
      }
      if (axis < 0) continue;
      PBATCH_RETURN_IF_ERROR(
          check_same_items(session.outputs()[o].name, outputs[o], axis, joined[o]));
      scatter_items(outputs[o], axis, to, joined[o]);
    }
  }
  return joined;
}

}  // namespace pbatch
