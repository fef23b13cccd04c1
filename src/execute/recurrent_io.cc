#include "execute/recurrent_io.h"

#include <string>

#include "execute/ops/float_checks.h"

namespace pbatch {
namespace {

const char* const kFeedRight = "feed the shape that the network was exported with";

Status check_lengths(const Tensor& lengths, std::int64_t batch, std::int64_t steps) {
  if (lengths.dtype() != DType::i32 || lengths.shape() != Shape{batch}) {
    return {ErrorCode::shape_mismatch,
            "sequence_lens is " + describe_tensor(lengths) + ", not int32 [" +
                std::to_string(batch) + "]",
            kFeedRight};
  }
  for (const std::int32_t length : lengths.span<std::int32_t>()) {
    if (length < 0 || length > steps) {
      return {ErrorCode::invalid_argument,
              "sequence_lens holds " + std::to_string(length) + ", but the input has " +
                  std::to_string(steps) + " steps",
              "feed lengths from 0 to the steps of the input"};
    }
  }
  return Status::ok();
}

Status check_state(const Tensor* state, const char* name, const Shape& shape) {
  if (state == nullptr) return Status::ok();
  PBATCH_RETURN_IF_ERROR(expect_float(state, name));
  if (state->shape() == shape) return Status::ok();
  return {ErrorCode::shape_mismatch,
          std::string(name) + " is " + shape_to_string(state->shape()) + ", not " +
              shape_to_string(shape),
          kFeedRight};
}

}  // namespace

Result<RecurrentIo> RecurrentIo::create(const RecurrentInputs& inputs, std::int64_t hidden,
                                        int directions, int layout) {
  PBATCH_RETURN_IF_ERROR(expect_float(inputs.x, "input X"));
  if (inputs.x->rank() != 3) {
    return Status(ErrorCode::shape_mismatch,
                  "input X is " + shape_to_string(inputs.x->shape()) +
                      ", not of three dimensions (steps, batch, features)",
                  kFeedRight);
  }
  RecurrentIo io;
  io.inputs_ = inputs;
  io.hidden_ = hidden;
  io.directions_ = directions;
  io.vectors_first_ = layout == 1;
  io.steps_ = inputs.x->dim(io.vectors_first_ ? 1 : 0);
  io.batch_ = inputs.x->dim(io.vectors_first_ ? 0 : 1);
  if (inputs.lengths != nullptr) {
    PBATCH_RETURN_IF_ERROR(check_lengths(*inputs.lengths, io.batch_, io.steps_));
  }
  const Shape state = io.vectors_first_ ? Shape{io.batch_, directions, hidden}
                                        : Shape{directions, io.batch_, hidden};
  PBATCH_RETURN_IF_ERROR(check_state(inputs.initial_h, "initial_h", state));
  PBATCH_RETURN_IF_ERROR(check_state(inputs.initial_c, "initial_c", state));
  return io;
}

Status RecurrentIo::allocate(RunContext& context, int made, std::span<Tensor> outputs) {
  return allocate([&](Shape shape) { return context.allocate(DType::f32, std::move(shape)); }, made,
                  outputs);
}

Status RecurrentIo::allocate(const std::function<Result<Tensor>(Shape)>& make, int made,
                             std::span<Tensor> outputs) {
  made_ = made;
  outputs_ = outputs;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    Shape shape = vectors_first_ ? Shape{batch_, made, hidden_} : Shape{made, batch_, hidden_};
    if (i == 0) shape.insert(shape.begin() + (vectors_first_ ? 1 : 0), steps_);
    PBATCH_ASSIGN_OR_RETURN(outputs[i], make(std::move(shape)));
  }
  return Status::ok();
}

RecurrentCall RecurrentIo::call(const float* x, std::int64_t rows, int from, int to) const {
  RecurrentCall call;
  call.steps = steps_;
  call.batch = batch_;
  call.x = x;
  call.x_step = vectors_first_ ? rows : batch_ * rows;
  call.x_vector = vectors_first_ ? steps_ * rows : rows;
  if (inputs_.lengths != nullptr) call.lengths = inputs_.lengths->data<std::int32_t>();
  const std::int64_t first = from * (vectors_first_ ? hidden_ : batch_ * hidden_);
  call.initial_vector = vectors_first_ ? directions_ * hidden_ : hidden_;
  if (inputs_.initial_h != nullptr) call.initial_h = inputs_.initial_h->data<float>() + first;
  if (inputs_.initial_c != nullptr) call.initial_c = inputs_.initial_c->data<float>() + first;

  const std::int64_t start = to * (vectors_first_ ? hidden_ : batch_ * hidden_);
  const std::int64_t every = made_ * hidden_;  // floats of all directions of one vector
  call.y_step = vectors_first_ ? every : batch_ * every;
  call.y_vector = vectors_first_ ? steps_ * every : hidden_;
  call.last_vector = vectors_first_ ? every : hidden_;
  if (!outputs_.empty()) call.y = outputs_[0].mutable_data<float>() + start;
  if (outputs_.size() > 1) call.last_h = outputs_[1].mutable_data<float>() + start;
  if (outputs_.size() > 2) call.last_c = outputs_[2].mutable_data<float>() + start;
  return call;
}

}  // namespace pbatch
