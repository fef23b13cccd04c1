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
void copy_indices(const Tensor& from, std::int32_t* to) {
  for (std::int64_t i = 0; i < from.size(); ++i) {
    to[i] = static_cast<std::int32_t>(std::clamp<std::int64_t>(
        static_cast<std::int64_t>(from.data<T>()[i]), std::numeric_limits<std::int32_t>::min(),
        std::numeric_limits<std::int32_t>::max()));
  }
}

void share(void* pool, std::int32_t count, std::int32_t grain, pb_part_fn part, const void* what) {
  static_cast<ThreadPool*>(pool)->parallel_for(
      count, grain, [&](std::int64_t begin, std::int64_t end) {
        part(what, static_cast<std::int32_t>(begin), static_cast<std::int32_t>(end));
      });
}

}  // namespace

Status IntegerProgram::codes_of(std::size_t input, const Tensor& tensor,
                                std::int32_t* codes) const {
  const IntegerValue& value = values_[static_cast<std::size_t>(inputs_[input])];
  if (tensor.dtype() == DType::i64) {
    copy_indices<std::int64_t>(tensor, codes);
    return Status::ok();
  }
  if (tensor.dtype() == DType::i32) {
    copy_indices<std::int32_t>(tensor, codes);
    return Status::ok();
  }
  const float* const x = tensor.data<float>();
  const IntegerFormat& format = value.format;
  const double scale = format.scale, lo = format.lo, hi = format.hi;
  bool all_numbers = true;
  for (std::int64_t i = 0; i < tensor.size(); ++i) {
    const double scaled = static_cast<double>(x[i]) / scale;
    all_numbers = all_numbers && scaled == scaled;
    const double limited = scaled > lo ? (scaled > hi ? hi : scaled) : lo;  // a NaN too
    // Half to even: what is added leaves no bits behind the point.
    codes[i] = static_cast<std::int32_t>((limited + 0x1.8p52) - 0x1.8p52);
  }
  if (all_numbers) return Status::ok();
  return Status(ErrorCode::not_finite, "input '" + value.name + "' holds a NaN",
                "feed numbers; integers have none that stands for it")
      .in_file(file_);
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

// Addresses of a step's values, codes, scratch: one block.
std::shared_ptr<void> IntegerProgram::take_memory(BufferPool& buffers) const {
  return buffers.take(static_cast<std::size_t>(
      rounded_up(memory_codes_, kAlignment) * 4 + library_bytes_ +
      rounded_up(static_cast<std::int64_t>(most_operands_ * sizeof(void*)), 4 * kAlignment)));
}

Status IntegerProgram::out_of_memory() const {
  return Status(ErrorCode::out_of_memory,
                "no memory for " + std::to_string(memory_codes_ * 4) +
                    " bytes of intermediate results",
                "feed a smaller batch or smaller inputs")
      .in_file(file_);
}

void IntegerProgram::run_steps(void* memory, ThreadPool* pool) const {
  pb_multiplier multiplier = *fns_->stepper.multiplier;
  const pb_stepper stepper{&multiplier, fns_->stepper.units};
  if (pool != nullptr && pool->threads() > 1) {
    multiplier.share = share;
    multiplier.pool = pool;
  }
  auto* const base = static_cast<std::int32_t*>(memory);
  auto* const scratch =
      reinterpret_cast<std::uint8_t*>(base + rounded_up(memory_codes_, kAlignment));
  auto** const addresses = reinterpret_cast<const std::int32_t**>(scratch + library_bytes_);
  for (const IntegerStep& step : steps_) {
    const std::int32_t** to = addresses;
    for (const int v : step.inputs) *to++ = address(v, base);
    auto** const out = const_cast<std::int32_t**>(to);
    for (const int v : step.outputs) *to++ = address(v, base);
    step.run({*fns_, stepper, addresses, out, scratch});
  }
}

Result<std::vector<std::vector<std::int32_t>>> IntegerProgram::run_codes(
    std::span<const std::vector<std::int32_t>> inputs, BufferPool& buffers) const {
  const std::shared_ptr<void> memory = take_memory(buffers);
  if (memory == nullptr) return out_of_memory();
  auto* const base = static_cast<std::int32_t*>(memory.get());
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const IntegerValue& value = values_[static_cast<std::size_t>(inputs_[i])];
    std::copy(inputs[i].begin(), inputs[i].end(), base + value.place);
  }
  run_steps(base, nullptr);
  std::vector<std::vector<std::int32_t>> outputs;
  for (const int v : outputs_) {
    const std::int32_t* const from = address(v, base);
    outputs.emplace_back(from, from + values_[static_cast<std::size_t>(v)].count);
  }
  return outputs;
}

Result<std::vector<Tensor>> IntegerProgram::run(std::span<const Tensor> inputs, BufferPool& buffers,
                                                ThreadPool& pool) const {
  const std::shared_ptr<void> memory = take_memory(buffers);
  if (memory == nullptr) return out_of_memory();
  auto* const base = static_cast<std::int32_t*>(memory.get());
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const IntegerValue& value = values_[static_cast<std::size_t>(inputs_[i])];
    PBATCH_RETURN_IF_ERROR(codes_of(i, inputs[i], base + value.place));
  }
  for (const IndexCheck& check : checks_) {
    const auto input = static_cast<std::size_t>(check.input);
    const IntegerValue& value = values_[static_cast<std::size_t>(inputs_[input])];
    for (std::int64_t i = 0; i < inputs[input].size(); ++i) {
      const std::int32_t code = base[value.place + i];
      if (code >= check.least && code <= check.greatest) continue;
      return Status(ErrorCode::invalid_argument,
                    "index " + std::to_string(code) + " is not from " +
                        std::to_string(check.least) + " to " + std::to_string(check.greatest),
                    "feed indices of the network's tables and lengths")
          .at_node(check.node)
          .in_file(file_);
    }
  }
  run_steps(base, &pool);
  std::vector<Tensor> outputs;
  for (std::size_t i = 0; i < outputs_.size(); ++i) {
    const IntegerValue& value = values_[static_cast<std::size_t>(outputs_[i])];
    const std::int32_t* const codes = address(outputs_[i], base);
    PBATCH_ASSIGN_OR_RETURN(Tensor made, Tensor::create(output_types_[i], value.shape));
    if (output_types_[i] == DType::i64) {
      std::copy_n(codes, value.count, made.mutable_data<std::int64_t>());
    } else if (output_types_[i] == DType::i32) {
      std::copy_n(codes, value.count, made.mutable_data<std::int32_t>());
    } else {
      auto* const to = made.mutable_data<float>();
      const double scale = value.format.scale;
      for (std::int64_t k = 0; k < value.count; ++k) to[k] = static_cast<float>(codes[k] * scale);
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
    const IntegerStep& step = steps_[static_cast<std::size_t>(s)];
    scratch_bytes_ = std::max(scratch_bytes_, step.scratch_bytes);
    const std::int64_t bytes = std::max(step.scratch_bytes, step.library_bytes);
    library_bytes_ = std::max(library_bytes_, rounded_up(bytes, 4 * kAlignment));
    most_operands_ = std::max(most_operands_, step.inputs.size() + step.outputs.size());
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
