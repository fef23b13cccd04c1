// onnx.TensorProto <-> Tensor, for data that stands in the message itself.
#pragma once

#include <string>

#include "graph/narrow_types.h"
#include "onnx/onnx.pb.h"
#include "pbatch/status.h"
#include "pbatch/tensor.h"

namespace pbatch {

/// Element type and shape of a tensor message. Fails, naming the tensor, for types
/// pbatch does not hold, segmented tensors, and shapes no memory can hold.
struct TensorHeader {
  DType dtype = DType::f32;
  /// Of what is stored, where that has fewer bits than dtype; else null.
  const NarrowType* narrow = nullptr;
  Shape shape;
  std::int64_t count = 0;
};
Result<TensorHeader> read_tensor_header(const onnx::TensorProto& proto, const std::string& name);

/// The values of a tensor message that holds its own data, raw or typed. The
/// number of values must be what the shape asks for.
Result<Tensor> read_tensor_data(const onnx::TensorProto& proto, const TensorHeader& header,
                                const std::string& name);

/// The values of a narrow type, from the bytes that hold them.
Result<Tensor> widen_narrow(const TensorHeader& header, const void* bytes);

/// Turns the bytes of bools into 0 and 1.
void normalize_bools(Tensor& tensor);

/// Writes type, dims and, with `inline_data`, the values as raw_data.
void write_tensor(const Tensor& tensor, bool inline_data, onnx::TensorProto* proto);

}  // namespace pbatch
