// Scan: a subgraph once for every slice of its scanned inputs. Up to opset 8 a batch of
// sequences, each of its own length; since opset 9 one sequence along any axis.
#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "graph/subgraphs.h"
#include "op/data_checks.h"
#include "op/float_checks.h"
#include "op/node_checks.h"
#include "run/control/slice_stack.h"
#include "run/control/subprogram.h"

namespace pbatch {
namespace {

constexpr const char* kScanRemedy = "the exporter wrote an invalid node; export the model again";

// A list with an entry for each scanned input or output; zeros if the node has none.
Result<std::vector<std::int64_t>> per_port(const Node& node, const char* name, std::size_t count) {
  PBATCH_ASSIGN_OR_RETURN(std::vector<std::int64_t> list,
                          node.ints_attr(name, std::vector<std::int64_t>(count, 0)));
  if (list.size() == count) return list;
  return Status(ErrorCode::malformed,
                "attribute '" + std::string(name) + "' of Scan has " + std::to_string(list.size()) +
                    " numbers, not " + std::to_string(count),
                kScanRemedy);
}

// 0: forward, 1: backwards.
Result<std::vector<std::int64_t>> directions(const Node& node, const char* name,
                                             std::size_t count) {
  PBATCH_ASSIGN_OR_RETURN(std::vector<std::int64_t> list, per_port(node, name, count));
  for (const std::int64_t direction : list) {
    if (direction == 0 || direction == 1) continue;
    return Status(ErrorCode::malformed,
                  "attribute '" + std::string(name) + "' of Scan holds " +
                      std::to_string(direction) + ", not 0 or 1",
                  kScanRemedy);
  }
  return list;
}

// The body over one sequence.
class Scanner {
 public:
  static Result<Scanner> create(const Node& node, std::size_t first_input) {
    PBATCH_ASSIGN_OR_RETURN(Subprogram body, Subprogram::create(node, "body"));
    Scanner scanner(std::move(body));
    PBATCH_ASSIGN_OR_RETURN(const std::int64_t scanned, node.int_attr("num_scan_inputs", 0));
    scanner.scanned_ = static_cast<std::size_t>(scanned);
    scanner.states_ = own_inputs(node) - first_input - scanner.scanned_;
    scanner.scans_ = scanner.body_.program().graph().outputs.size() - scanner.states_;
    const char* const name = node.opset < 9 ? "directions" : "scan_input_directions";
    PBATCH_ASSIGN_OR_RETURN(scanner.backwards_, directions(node, name, scanner.scanned_));
    return scanner;
  }

  std::size_t states() const { return states_; }
  std::size_t scanned() const { return scanned_; }
  std::size_t scans() const { return scans_; }
  Program& program() { return body_.program(); }
  ProgramInputs on(std::vector<std::optional<TensorType>> own,
                   std::span<const std::optional<TensorType>> node_inputs) const {
    return body_.on(std::move(own), node_inputs);
  }
  const Value& final_state(std::size_t i) const { return body_.output(i); }
  const Value& slice_of_output(std::size_t i) const { return body_.output(states_ + i); }

  /// `length` rounds. `state` goes in and comes out; stacks[i] takes the slices of output i.
  Status run(const RunContext& context, std::span<const Tensor> sequences,
             const std::vector<std::size_t>& axes, std::int64_t length,
             std::span<const Tensor* const> node_inputs, std::vector<Tensor>& state,
             std::vector<SliceStack>& stacks) const {
    for (std::int64_t round = 0; round < length; ++round) {
      std::vector<Tensor> inputs = state;
      for (std::size_t i = 0; i < scanned_; ++i) {
        const std::int64_t at = backwards_[i] != 0 ? length - 1 - round : round;
        PBATCH_ASSIGN_OR_RETURN(Tensor slice, slice_at(context, sequences[i], axes[i], at));
        inputs.push_back(std::move(slice));
      }
      PBATCH_ASSIGN_OR_RETURN(std::vector<Tensor> made,
                              body_.run(context, std::move(inputs), node_inputs));
      for (std::size_t i = 0; i < states_; ++i) {
        PBATCH_RETURN_IF_ERROR(expect_kept_type(state[i], made[i], i));
        state[i] = std::move(made[i]);
      }
      for (std::size_t i = 0; i < scans_; ++i) {
        PBATCH_RETURN_IF_ERROR(stacks[i].add(context, made[states_ + i]));
      }
    }
    return Status::ok();
  }

 private:
  explicit Scanner(Subprogram body) : body_(std::move(body)) {}

  Subprogram body_;
  std::size_t states_ = 0, scanned_ = 0, scans_ = 0;
  std::vector<std::int64_t> backwards_;
};

Status different_lengths(const Tensor& a, const Tensor& b) {
  return {ErrorCode::shape_mismatch,
          "the scanned inputs " + describe_tensor(a) + " and " + describe_tensor(b) +
              " have different lengths",
          "feed sequences of one length"};
}

std::optional<TensorType> without_axis(const std::optional<TensorType>& type, std::int64_t axis) {
  if (!type) return std::nullopt;
  const auto index = normalize_axis(axis, type->shape.size());
  if (!index) return std::nullopt;
  TensorType slice = *type;
  slice.shape.erase(slice.shape.begin() + static_cast<std::ptrdiff_t>(*index));
  return slice;
}

class ScanBase : public Op {
 public:
  explicit ScanBase(Scanner scanner) : scanner_(std::move(scanner)) {}
  void choose_kernels_by(const KernelPolicy& policy) override {
    scanner_.program().choose_kernels_by(policy);
  }
  std::vector<ProgramInputs> programs(
      std::span<const std::optional<TensorType>> inputs) const override {
    return {scanner_.on(round_types(inputs), inputs)};
  }

  Result<StepPlan> plan(const PlanRequest&) const override {
    return StepPlan::allocating(
        [this](RunContext& context, std::span<const Tensor* const> inputs,
               std::span<Tensor> outputs) { return scan(context, inputs, outputs); });
  }

 protected:
  virtual Status scan(RunContext& context, std::span<const Tensor* const> inputs,
                      std::span<Tensor> outputs) const = 0;
  /// Of the states and slices that a round of the body takes.
  virtual std::vector<std::optional<TensorType>> round_types(
      std::span<const std::optional<TensorType>> inputs) const = 0;

  Scanner scanner_;
};

class Scan final : public ScanBase {
 public:
  Scan(Scanner scanner, std::vector<std::int64_t> input_axes, std::vector<std::int64_t> output_axes,
       std::vector<std::int64_t> output_backwards)
      : ScanBase(std::move(scanner)),
        input_axes_(std::move(input_axes)),
        output_axes_(std::move(output_axes)),
        output_backwards_(std::move(output_backwards)) {}

 private:
  std::vector<std::optional<TensorType>> round_types(
      std::span<const std::optional<TensorType>> inputs) const override {
    std::vector<std::optional<TensorType>> types;
    for (std::size_t i = 0; i < scanner_.states() + scanner_.scanned(); ++i) {
      const std::size_t k = i - std::min(i, scanner_.states());
      types.push_back(i >= inputs.size()      ? std::nullopt
                      : i < scanner_.states() ? inputs[i]
                                              : without_axis(inputs[i], input_axes_[k]));
    }
    return types;
  }

  Status scan(RunContext& context, std::span<const Tensor* const> inputs,
              std::span<Tensor> outputs) const override {
    const std::size_t states = scanner_.states();
    std::vector<Tensor> state, sequences;
    for (std::size_t i = 0; i < states; ++i) state.push_back(*inputs[i]);
    std::vector<std::size_t> axes;
    std::int64_t length = 0;
    for (std::size_t i = 0; i < scanner_.scanned(); ++i) {
      sequences.push_back(*inputs[states + i]);
      const Tensor& sequence = sequences.back();
      PBATCH_ASSIGN_OR_RETURN(const std::size_t axis,
                              normalize_axis(input_axes_[i], sequence.rank()));
      axes.push_back(axis);
      if (i == 0) length = sequence.dim(axis);
      if (sequence.dim(axis) != length) return different_lengths(sequences[0], sequence);
    }
    std::vector<SliceStack> stacks(scanner_.scans(), SliceStack(length));
    PBATCH_RETURN_IF_ERROR(scanner_.run(context, sequences, axes, length, inputs, state, stacks));
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      if (i < states) {
        outputs[i] = std::move(state[i]);
        continue;
      }
      const std::size_t k = i - states;
      PBATCH_ASSIGN_OR_RETURN(
          outputs[i], stacks[k].finish(context, scanner_.slice_of_output(k), output_axes_[k],
                                       output_backwards_[k] != 0));
    }
    return Status::ok();
  }

  std::vector<std::int64_t> input_axes_, output_axes_, output_backwards_;
};

// States [batch, ...], sequences [batch, time, ...]; beyond the end of a sequence, zeros.
class BatchedScan final : public ScanBase {
 public:
  using ScanBase::ScanBase;

 private:
  std::vector<std::optional<TensorType>> round_types(
      std::span<const std::optional<TensorType>> inputs) const override {
    std::vector<std::optional<TensorType>> types;
    for (std::size_t i = 0; i < scanner_.states() + scanner_.scanned(); ++i) {
      auto type = 1 + i < inputs.size() ? without_axis(inputs[1 + i], 0) : std::nullopt;
      types.push_back(i < scanner_.states() ? type : without_axis(type, 0));
    }
    return types;
  }

  Status scan(RunContext& context, std::span<const Tensor* const> inputs,
              std::span<Tensor> outputs) const override {
    const std::size_t states = scanner_.states();
    for (std::size_t i = 0; i < states + scanner_.scanned(); ++i) {
      PBATCH_RETURN_IF_ERROR(check_batch(*inputs[1], *inputs[1 + i], i < states ? 1 : 2));
    }
    const Tensor& sequence = *inputs[1 + states];
    const std::int64_t batch = sequence.dim(0), time = sequence.dim(1);
    for (std::size_t i = states; i < states + scanner_.scanned(); ++i) {
      if (inputs[1 + i]->dim(1) != time) return different_lengths(sequence, *inputs[1 + i]);
    }
    PBATCH_ASSIGN_OR_RETURN(const auto lengths, lengths_of(inputs[0], batch, time));

    // Of each sequence its final states, stacked, and its outputs.
    std::vector<SliceStack> final_states(states, SliceStack(batch));
    std::vector<std::vector<Tensor>> parts;
    const std::vector<std::size_t> axes(scanner_.scanned(), 0);
    for (std::int64_t b = 0; b < batch; ++b) {
      std::vector<Tensor> state, sequences;
      for (std::size_t i = 0; i < states + scanner_.scanned(); ++i) {
        PBATCH_ASSIGN_OR_RETURN(Tensor part, slice_at(context, *inputs[1 + i], 0, b));
        (i < states ? state : sequences).push_back(std::move(part));
      }
      std::vector<SliceStack> stacks(scanner_.scans(), SliceStack(time));
      PBATCH_RETURN_IF_ERROR(scanner_.run(
          context, sequences, axes, lengths[static_cast<std::size_t>(b)], inputs, state, stacks));
      for (std::size_t i = 0; i < states; ++i) {
        PBATCH_RETURN_IF_ERROR(final_states[i].add(context, state[i]));
      }
      std::vector<Tensor>& made = parts.emplace_back();
      for (std::size_t k = 0; k < stacks.size(); ++k) {
        PBATCH_ASSIGN_OR_RETURN(Tensor part,
                                stacks[k].finish(context, scanner_.slice_of_output(k)));
        made.push_back(std::move(part));
      }
    }
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      if (i < states) {
        PBATCH_ASSIGN_OR_RETURN(outputs[i],
                                final_states[i].finish(context, scanner_.final_state(i)));
        continue;
      }
      PBATCH_ASSIGN_OR_RETURN(outputs[i], padded(context, parts, i - states, time));
    }
    return Status::ok();
  }

  static Status check_batch(const Tensor& first, const Tensor& tensor, std::size_t least_rank) {
    if (tensor.rank() >= least_rank && tensor.dim(0) == first.dim(0)) return Status::ok();
    return {ErrorCode::shape_mismatch,
            "an input of Scan is " + describe_tensor(tensor) + "; it takes a batch of " +
                (least_rank == 1 ? "states" : "sequences") + ", of one size for all inputs",
            "feed the shape that the network was exported for"};
  }

  static Result<std::vector<std::int64_t>> lengths_of(const Tensor* given, std::int64_t batch,
                                                      std::int64_t time) {
    if (given == nullptr) return std::vector<std::int64_t>(static_cast<std::size_t>(batch), time);
    PBATCH_ASSIGN_OR_RETURN(std::vector<std::int64_t> lengths,
                            read_integers(*given, "sequence_lens"));
    bool fits = static_cast<std::int64_t>(lengths.size()) == batch;
    for (const std::int64_t length : lengths) fits = fits && length >= 0 && length <= time;
    if (fits) return lengths;
    return Status(ErrorCode::shape_mismatch,
                  "sequence_lens must be " + std::to_string(batch) + " lengths of 0 to " +
                      std::to_string(time),
                  "feed lengths that fit the sequences");
  }

  // Output `k` of all sequences, [batch, time, ...].
  static Result<Tensor> padded(const RunContext& context,
                               const std::vector<std::vector<Tensor>>& parts, std::size_t k,
                               std::int64_t time) {
    const auto longest =
        std::max_element(parts.begin(), parts.end(),
                         [k](const auto& a, const auto& b) { return a[k].dim(0) < b[k].dim(0); });
    if (longest == parts.end()) {
      return Status(ErrorCode::shape_mismatch, "Scan of an empty batch", "feed a sequence or more");
    }
    const Tensor& model = (*longest)[k];
    Shape shape{static_cast<std::int64_t>(parts.size()), time};
    shape.insert(shape.end(), model.shape().begin() + 1, model.shape().end());
    PBATCH_ASSIGN_OR_RETURN(Tensor all, context.allocate(model.dtype(), std::move(shape)));
    const std::size_t stride = all.bytes() / parts.size();
    char* to = static_cast<char*>(all.mutable_raw());
    for (const std::vector<Tensor>& made : parts) {
      const Tensor& part = made[k];
      const bool some = part.dim(0) != 0;
      if (some && (part.dtype() != model.dtype() ||
                   !std::equal(part.shape().begin() + 1, part.shape().end(),
                               model.shape().begin() + 1, model.shape().end()))) {
        return Status(ErrorCode::shape_mismatch,
                      "an output of Scan is " + describe_tensor(model) + " for one sequence and " +
                          describe_tensor(part) + " for another",
                      "feed sequences that are alike");
      }
      const std::size_t bytes = some ? part.bytes() : 0;
      if (bytes != 0) std::memcpy(to, part.raw(), bytes);
      if (stride != bytes) std::memset(to + bytes, 0, stride - bytes);
      to += stride;
    }
    return all;
  }
};

}  // namespace

Result<std::unique_ptr<Op>> make_batched_scan(const Graph&, const Node& node) {
  PBATCH_RETURN_IF_ERROR(check_control_flow(node));
  PBATCH_ASSIGN_OR_RETURN(Scanner scanner, Scanner::create(node, 1));
  return std::unique_ptr<Op>(new BatchedScan(std::move(scanner)));
}

Result<std::unique_ptr<Op>> make_scan(const Graph&, const Node& node) {
  PBATCH_RETURN_IF_ERROR(check_control_flow(node));
  PBATCH_ASSIGN_OR_RETURN(Scanner scanner, Scanner::create(node, 0));
  PBATCH_ASSIGN_OR_RETURN(auto input_axes, per_port(node, "scan_input_axes", scanner.scanned()));
  PBATCH_ASSIGN_OR_RETURN(auto output_axes, per_port(node, "scan_output_axes", scanner.scans()));
  PBATCH_ASSIGN_OR_RETURN(auto output_backwards,
                          directions(node, "scan_output_directions", scanner.scans()));
  return std::unique_ptr<Op>(new Scan(std::move(scanner), std::move(input_axes),
                                      std::move(output_axes), std::move(output_backwards)));
}

}  // namespace pbatch
