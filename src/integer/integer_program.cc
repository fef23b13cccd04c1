#include "integer/integer_program.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

namespace pbatch {
namespace {

constexpr std::int64_t kAlignment = 16;  // codes

std::int64_t rounded_up(std::int64_t x, std::int64_t to) { return (x + to - 1) / to * to; }

// Indices are limited to what 32 bits hold; a step that looks rows up takes the nearest row.
template <class T>
void copy_indices(const Tensor& from, std::vector<std::int32_t>& to) {
  for (std::int64_t i = 0; i < from.size(); ++i) {
    to[static_cast<std::size_t>(i)] = static_cast<std::int32_t>(std::clamp<std::int64_t>(
        static_cast<std::int64_t>(from.data<T>()[i]), std::numeric_limits<std::int32_t>::min(),
        std::numeric_limits<std::int32_t>::max()));
  }
}

}  // namespace

Result<std::vector<std::int32_t>> IntegerProgram::codes_of(std::size_t input,
                                                           const Tensor& tensor) const {
  const IntegerValue& value = values_[static_cast<std::size_t>(inputs_[input])];
  std::vector<std::int32_t> codes(static_cast<std::size_t>(tensor.size()));
  if (tensor.dtype() == DType::i64) {
    copy_indices<std::int64_t>(tensor, codes);
    return codes;
  }
  if (tensor.dtype() == DType::i32) {
    copy_indices<std::int32_t>(tensor, codes);
    return codes;
  }
  const float* const x = tensor.data<float>();
  const IntegerFormat& format = value.format;
  for (std::size_t i = 0; i < codes.size(); ++i) {
    const double scaled = static_cast<double>(x[i]) / format.scale;
    if (std::isnan(scaled)) {
      return Status(ErrorCode::not_finite, "input '" + value.name + "' holds a NaN",
                    "feed numbers; integers have none that stands for it")
          .in_file(file_);
    }
    codes[i] = static_cast<std::int32_t>(std::clamp(
        std::nearbyint(scaled), static_cast<double>(format.lo), static_cast<double>(format.hi)));
  }
  return codes;
}

void IntegerProgram::insert_unread_input(std::size_t place, const Shape& shape) {
  IntegerValue value;
  value.shape = shape;
  value.count = 1;
  value.place = memory_codes_;
  for (const std::int64_t d : shape) value.count *= d;
  memory_codes_ += value.count;
  values_.push_back(std::move(value));
  inputs_.insert(inputs_.begin() + static_cast<std::ptrdiff_t>(place),
                 static_cast<int>(values_.size()) - 1);
  for (IndexCheck& check : checks_) check.input += check.input >= static_cast<int>(place) ? 1 : 0;
}

std::vector<std::vector<std::int32_t>> IntegerProgram::random_codes(std::mt19937_64& random) const {
  std::vector<std::vector<std::int32_t>> all;
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    const IntegerValue& value = values_[static_cast<std::size_t>(inputs_[i])];
    std::int64_t least = value.format.lo, greatest = value.format.hi;
    for (const IndexCheck& check : checks_) {
      if (check.input != static_cast<int>(i)) continue;
      least = 0;
      greatest = greatest == 0 ? check.greatest : std::min(greatest, check.greatest);
    }
    std::vector<std::int32_t> codes(static_cast<std::size_t>(value.count));
    const auto span = static_cast<std::uint64_t>(greatest - least) + 1;
    for (std::int32_t& c : codes)
      c = static_cast<std::int32_t>(least + static_cast<std::int64_t>(random() % span));
    all.push_back(std::move(codes));
  }
  return all;
}

const std::int32_t* IntegerProgram::address(int value, const std::int32_t* memory) const {
  if (value < 0) return nullptr;
  const IntegerValue& v = values_[static_cast<std::size_t>(value)];
  return v.constant != nullptr ? v.constant->data() : memory + v.place;
}

void IntegerProgram::run_steps(std::int32_t* memory, void* scratch) const {
  std::vector<const std::int32_t*> in;
  std::vector<std::int32_t*> out;
  for (const IntegerStep& step : steps_) {
    in.clear();
    out.clear();
    for (const int v : step.inputs) in.push_back(address(v, memory));
    for (const int v : step.outputs) {
      out.push_back(v < 0 ? nullptr : memory + values_[static_cast<std::size_t>(v)].place);
    }
    step.run({*fns_, in.data(), out.data(), scratch});
  }
}

Result<std::vector<std::vector<std::int32_t>>> IntegerProgram::run_codes(
    std::span<const std::vector<std::int32_t>> inputs, BufferPool& buffers) const {
  const std::int64_t codes = rounded_up(memory_codes_, kAlignment);
  const std::shared_ptr<void> memory =
      buffers.take(static_cast<std::size_t>(codes * 4 + scratch_bytes_));
  if (memory == nullptr) {
    return Status(ErrorCode::out_of_memory,
                  "no memory for " + std::to_string(codes * 4) + " bytes of intermediate results",
                  "feed a smaller batch or smaller inputs")
        .in_file(file_);
  }
  auto* const base = static_cast<std::int32_t*>(memory.get());
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const IntegerValue& value = values_[static_cast<std::size_t>(inputs_[i])];
    std::copy(inputs[i].begin(), inputs[i].end(), base + value.place);
  }
  run_steps(base, base + codes);
  std::vector<std::vector<std::int32_t>> outputs;
  for (const int v : outputs_) {
    const std::int32_t* const from = address(v, base);
    outputs.emplace_back(from, from + values_[static_cast<std::size_t>(v)].count);
  }
  return outputs;
}

Result<std::vector<Tensor>> IntegerProgram::run(std::span<const Tensor> inputs,
                                                BufferPool& buffers) const {
  std::vector<std::vector<std::int32_t>> codes;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    PBATCH_ASSIGN_OR_RETURN(std::vector<std::int32_t> made, codes_of(i, inputs[i]));
    codes.push_back(std::move(made));
  }
  for (const IndexCheck& check : checks_) {
    for (const std::int32_t code : codes[static_cast<std::size_t>(check.input)]) {
      if (code >= check.least && code <= check.greatest) continue;
      return Status(ErrorCode::invalid_argument,
                    "index " + std::to_string(code) + " is not from " +
                        std::to_string(check.least) + " to " + std::to_string(check.greatest),
                    "feed indices of the network's tables and lengths")
          .at_node(check.node)
          .in_file(file_);
    }
  }
  PBATCH_ASSIGN_OR_RETURN(const auto results, run_codes(codes, buffers));
  std::vector<Tensor> outputs;
  for (std::size_t i = 0; i < results.size(); ++i) {
    const IntegerValue& value = values_[static_cast<std::size_t>(outputs_[i])];
    PBATCH_ASSIGN_OR_RETURN(Tensor made, Tensor::create(output_types_[i], value.shape));
    for (std::size_t k = 0; k < results[i].size(); ++k) {
      if (output_types_[i] == DType::i64) {
        made.mutable_data<std::int64_t>()[k] = results[i][k];
      } else if (output_types_[i] == DType::i32) {
        made.mutable_data<std::int32_t>()[k] = results[i][k];
      } else {
        made.mutable_data<float>()[k] = static_cast<float>(results[i][k] * value.format.scale);
      }
    }
    outputs.push_back(std::move(made));
  }
  return outputs;
}

// First fit, in the order in which values are made; inputs and outputs live all the time.
void IntegerProgram::place_values() {
  const std::size_t count = values_.size();
  const int never = static_cast<int>(steps_.size());
  std::vector<int> first(count, never), last(count, -1);
  const auto use = [&](int v, int step) {
    if (v < 0) return;
    first[static_cast<std::size_t>(v)] = std::min(first[static_cast<std::size_t>(v)], step);
    last[static_cast<std::size_t>(v)] = std::max(last[static_cast<std::size_t>(v)], step);
  };
  for (int s = 0; s < never; ++s) {
    for (const int v : steps_[static_cast<std::size_t>(s)].inputs) use(v, s);
    for (const int v : steps_[static_cast<std::size_t>(s)].outputs) use(v, s);
    scratch_bytes_ = std::max(scratch_bytes_, steps_[static_cast<std::size_t>(s)].scratch_bytes);
  }
  for (const int v : inputs_) use(v, 0), use(v, never);
  for (const int v : outputs_) use(v, never);
  std::vector<std::size_t> order;
  for (std::size_t v = 0; v < count; ++v) {
    if (last[v] >= 0 && values_[v].constant == nullptr) order.push_back(v);
  }
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return first[a] < first[b]; });
  std::vector<std::size_t> placed;
  for (const std::size_t v : order) {
    std::vector<std::pair<std::int64_t, std::int64_t>> taken;
    for (const std::size_t other : placed) {
      if (first[other] > last[v] || first[v] > last[other]) continue;
      taken.emplace_back(values_[other].place, values_[other].place + values_[other].count);
    }
    std::sort(taken.begin(), taken.end());
    std::int64_t at = 0;
    for (const auto& [begin, end] : taken) {
      if (begin - at >= values_[v].count) break;
      at = std::max(at, rounded_up(end, kAlignment));
    }
    values_[v].place = at;
    memory_codes_ = std::max(memory_codes_, at + values_[v].count);
    placed.push_back(v);
  }
}

}  // namespace pbatch
