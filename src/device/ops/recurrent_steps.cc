#include "device/ops/recurrent_steps.h"

#include <vector>

#include "op/recurrent/recurrent_layer.h"

namespace pbatch {
namespace {

CellKind first_kind(const GateTiles& gates) {
  if (gates.cell == CellType::rnn) return kCellRnn;
  if (gates.cell == CellType::lstm) return kCellLstm;
  return gates.two_parts() ? kCellGruGates : kCellGru;
}

class Layer {
 public:
  Layer(DeviceBuild& build, const RecurrentSpec& spec, const RecurrentCall& call,
        const std::int32_t* lengths)
      : build_(build), spec_(spec), gates_(spec.gates), call_(call), lengths_(lengths) {}

  Status run(const MakeRecurrentPart& make_part) {
    const std::int64_t batch = call_.batch, before = gates_.first_part_blocks();
    PBATCH_ASSIGN_OR_RETURN(states_, build_.allocate(DType::f32, {4, batch, gates_.padded()}));
    PBATCH_ASSIGN_OR_RETURN(products_, build_.allocate(DType::f32, {batch, gates_.rows()}));
    PBATCH_ASSIGN_OR_RETURN(const RecurrentPart first, make_part(0, before, batch));
    RecurrentPart second;
    if (gates_.two_parts()) {
      PBATCH_ASSIGN_OR_RETURN(second,
                              make_part(before, gates_.rows() / kTileUnits - before, batch));
    }
    add_step(kStart, 0, 0, &first, h());
    for (std::int64_t step = 0; step < call_.steps; ++step) {
      build_.add(first.multiply(h(), gates_.padded(), r(), gates_.rows()));
      if (gates_.two_parts()) {
        add_step(kCellGruGates, step, 0, &second, reset_h());
        float* const rest = r() + before * kTileUnits;
        build_.add(second.multiply(reset_h(), gates_.padded(), rest, gates_.rows()));
        add_step(kCellGruState, step, before * kTileUnits, &first, h());
      } else {
        add_step(first_kind(gates_), step, 0, &first, h());
      }
    }
    return Status::ok();
  }

 private:
  static constexpr int kStart = kStepStart;

  float* units(int i) const { return states_.data<float>() + i * call_.batch * gates_.padded(); }
  float* h() const { return units(0); }
  float* reset_h() const { return units(3); }
  float* r() const { return products_.data<float>(); }

  // Appends the cells of a step whose part begins at `row`, and what quantizes `x` for `next`.
  void add_step(int kind, std::int64_t step, std::int64_t row, const RecurrentPart* next,
                const float* x) {
    RecurrentStepArgs args = {};
    args.kind = kind;
    args.hidden = gates_.hidden;
    args.padded = gates_.padded();
    args.batch = static_cast<int>(call_.batch);
    args.steps = call_.steps;
    args.step = step;
    args.reverse = spec_.reverse;
    args.lengths = lengths_;
    args.flag = build_.flag();
    args.x = call_.x + row;
    args.x_step = call_.x_step;
    args.x_vector = call_.x_vector;
    args.r = r() + row;
    args.r_vector = gates_.rows();
    args.r_bias = call_.r_bias;
    args.peephole = call_.peephole;
    args.clip = spec_.clip;
    args.couple_forget = spec_.couple_forget ? 1 : 0;
    args.h = h();
    args.c = units(1);
    args.update = units(2);
    args.reset_h = reset_h();
    args.initial_h = call_.initial_h;
    args.initial_c = call_.initial_c;
    args.initial_vector = call_.initial_vector;
    args.y = call_.y;
    args.y_step = call_.y_step;
    args.y_vector = call_.y_vector;
    const bool is_last = kind == kStart ? call_.steps == 0 : step + 1 == call_.steps;
    if (is_last) {
      args.last_h = call_.last_h;
      args.last_c = call_.last_c;
      args.last_vector = call_.last_vector;
    }
    // Nothing multiplies what the last step leaves, but for the second part of it.
    NextProduct after;
    if (!is_last || kind == kCellGruGates) after = {next->quantizer, x, gates_.padded()};
    build_.add([args, after](Accelerator& device, Stream stream) {
      return device.step(args, after, stream);
    });
  }

  DeviceBuild& build_;
  const RecurrentSpec& spec_;
  const GateTiles& gates_;
  const RecurrentCall& call_;
  const std::int32_t* const lengths_;
  DeviceTensor states_;    // h, c, update and reset_h: [4][batch][padded]
  DeviceTensor products_;  // [batch][rows]
};

// The lengths as the device has them; null: absent.
Result<const std::int32_t*> lengths_of(DeviceBuild& build, std::span<const BuildValue> inputs,
                                       std::size_t i, std::int64_t batch) {
  if (i >= inputs.size() || inputs[i].is_absent()) return static_cast<const std::int32_t*>(nullptr);
  if (inputs[i].dtype() != DType::i32 || inputs[i].shape() != Shape{batch}) {
    return Status(ErrorCode::shape_mismatch,
                  "sequence_lens is " + std::string(dtype_name(inputs[i].dtype())) + " " +
                      shape_to_string(inputs[i].shape()) + ", not int32 [" + std::to_string(batch) +
                      "]",
                  "feed the shape that the network was exported with");
  }
  PBATCH_ASSIGN_OR_RETURN(const DeviceTensor there, build.on_device(inputs[i]));
  return static_cast<const std::int32_t*>(there.data<std::int32_t>());
}

}  // namespace

Status check_recurrent(const Node& node) {
  PBATCH_ASSIGN_OR_RETURN(const std::string cell, node.string_attr("cell", ""));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t index, node.int_attr("direction_index", 0));
  PBATCH_ASSIGN_OR_RETURN(const RecurrentSpec spec,
                          read_recurrent_spec(node, cell, static_cast<int>(index)));
  if (spec.default_activations()) return Status::ok();
  return only_on_the_cpu("recurrent layers with other functions than sigmoid and tanh run");
}

Status build_steps(DeviceBuild& build, const Node& node, std::size_t first_optional,
                   std::span<const BuildValue> inputs, std::span<BuildValue> outputs,
                   const MakeRecurrentPart& make_part) {
  PBATCH_ASSIGN_OR_RETURN(const RecurrentNode layer,
                          RecurrentNode::create(build.graph(), node, first_optional));
  const RecurrentSpec& spec = layer.spec();
  // All but the lengths, of which the device looks at the values.
  std::vector<Tensor> there(inputs.size());
  std::vector<const Tensor*> views(inputs.size(), nullptr);
  for (const std::size_t i : {std::size_t{0}, first_optional + 2, first_optional + 3}) {
    if (i >= inputs.size() || inputs[i].is_absent()) continue;
    PBATCH_ASSIGN_OR_RETURN(const DeviceTensor tensor, build.on_device(inputs[i]));
    there[i] = tensor.as_host_view();
    views[i] = &there[i];
  }
  PBATCH_ASSIGN_OR_RETURN(RecurrentIo io, layer.open(views));
  PBATCH_ASSIGN_OR_RETURN(const std::int32_t* lengths,
                          lengths_of(build, inputs, first_optional + 1, io.batch()));
  PlanStep& step = build.step();
  step.macs = step.rows * step.cols * io.batch() * io.steps();
  std::vector<Tensor> made(outputs.size());
  const std::span<Tensor> wanted = layer.wanted(made);
  PBATCH_RETURN_IF_ERROR(io.allocate(
      [&](Shape shape) -> Result<Tensor> {
        PBATCH_ASSIGN_OR_RETURN(const DeviceTensor tensor,
                                build.allocate(DType::f32, std::move(shape)));
        return tensor.as_host_view();
      },
      1, wanted));
  RecurrentCall call = layer.call(io, views);
  for (const float** constant : {&call.r_bias, &call.peephole}) {
    if (*constant == nullptr) continue;
    const std::size_t i = constant == &call.r_bias ? first_optional : first_optional + 4;
    PBATCH_ASSIGN_OR_RETURN(const DeviceTensor tensor, build.on_device(inputs[i]));
    *constant = tensor.data<float>();
  }
  if (call.batch > 0) PBATCH_RETURN_IF_ERROR(Layer(build, spec, call, lengths).run(make_part));
  for (std::size_t i = 0; i < wanted.size(); ++i) outputs[i].device = DeviceTensor(wanted[i]);
  return Status::ok();
}

}  // namespace pbatch
