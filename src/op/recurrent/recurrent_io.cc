#include "op/recurrent/recurrent_io.h"

#include <string>

#include "op/float_checks.h"

namespace pbatch {
namespace {

const char* const kFeedRight = "feed the shape that the network was exported with";

Status check_lengths_type(const Tensor& lengths, std::int64_t batch) {
  if (lengths.dtype() == DType::i32 && lengths.shape() == Shape{batch}) return Status::ok();
  return {ErrorCode::shape_mismatch,
          "sequence_lens is " + describe_tensor(lengths) + ", not int32 [" + std::to_string(batch) +
              "]",
          kFeedRight};
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
    PBATCH_RETURN_IF_ERROR(check_lengths_type(*inputs.lengths, io.batch_));
    PBATCH_RETURN_IF_ERROR(io.check_lengths(inputs.lengths->data<std::int32_t>()));
  }
  const Shape state = io.vectors_first_ ? Shape{io.batch_, directions, hidden}
                                        : Shape{directions, io.batch_, hidden};
  PBATCH_RETURN_IF_ERROR(check_state(inputs.initial_h, "initial_h", state));
  PBATCH_RETURN_IF_ERROR(check_state(inputs.initial_c, "initial_c", state));
  return io;
}

Status RecurrentIo::check_lengths(const std::int32_t* lengths) const {
  for (std::int64_t b = 0; lengths != nullptr && b < batch_; ++b) {
    if (lengths[b] >= 0 && lengths[b] <= steps_) continue;
    return {ErrorCode::invalid_argument,
            "sequence_lens holds " + std::to_string(lengths[b]) + ", but the input has " +
                std::to_string(steps_) + " steps",
            "feed lengths from 0 to the steps of the input"};
  }
  return Status::ok();
}

std::vector<TensorType> RecurrentIo::types(int made, std::size_t count) const {
  std::vector<TensorType> types;
  for (std::size_t i = 0; i < count; ++i) {
    Shape shape = vectors_first_ ? Shape{batch_, made, hidden_} : Shape{made, batch_, hidden_};
    if (i == 0) shape.insert(shape.begin() + (vectors_first_ ? 1 : 0), steps_);
    types.push_back({DType::f32, std::move(shape)});
  }
  return types;
}

Status RecurrentIo::allocate(const std::function<Result<Tensor>(Shape)>& make, int made,
                             std::span<Tensor> outputs) {
  made_ = made;
  outputs_ = outputs;
  std::vector<TensorType> types = this->types(made, outputs.size());
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    PBATCH_ASSIGN_OR_RETURN(outputs[i], make(std::move(types[i].shape)));
  }
  return Status::ok();
}

RecurrentCall RecurrentIo::call(const float* x, std::int64_t rows, int from, int to) const {
  RecurrentData data;
  if (inputs_.lengths != nullptr) data.lengths = inputs_.lengths->data<std::int32_t>();
  if (inputs_.initial_h != nullptr) data.initial_h = inputs_.initial_h->data<float>();
  if (inputs_.initial_c != nullptr) data.initial_c = inputs_.initial_c->data<float>();
  if (!outputs_.empty()) data.y = outputs_[0].mutable_data<float>();
  if (outputs_.size() > 1) data.y_h = outputs_[1].mutable_data<float>();
  if (outputs_.size() > 2) data.y_c = outputs_[2].mutable_data<float>();
  return call(data, x, rows, from, to, made_);
}

RecurrentCall RecurrentIo::call(const RecurrentData& data, const float* x, std::int64_t rows,
                                int from, int to, int made) const {
  RecurrentCall call;
  call.steps = steps_;
  call.batch = batch_;
  call.x = x;
  call.x_step = vectors_first_ ? rows : batch_ * rows;
  call.x_vector = vectors_first_ ? steps_ * rows : rows;
  call.lengths = data.lengths;
  const std::int64_t first = from * (vectors_first_ ? hidden_ : batch_ * hidden_);
  call.initial_vector = vectors_first_ ? directions_ * hidden_ : hidden_;
  if (data.initial_h != nullptr) call.initial_h = data.initial_h + first;
  if (data.initial_c != nullptr) call.initial_c = data.initial_c + first;

  const std::int64_t start = to * (vectors_first_ ? hidden_ : batch_ * hidden_);
  const std::int64_t every = made * hidden_;  // floats of all directions of one vector
  call.y_step = vectors_first_ ? every : batch_ * every;
  call.y_vector = vectors_first_ ? steps_ * every : hidden_;
  call.last_vector = vectors_first_ ? every : hidden_;
  if (data.y != nullptr) call.y = data.y + start;
  if (data.y_h != nullptr) call.last_h = data.y_h + start;
  if (data.y_c != nullptr) call.last_c = data.y_c + start;
  return call;
}

}  // namespace pbatch
