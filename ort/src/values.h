// Values of ONNX Runtime's graph in our own terms.
#pragma once

#include <optional>
#include <string>

#include "onnxruntime.h"
#include "pbatch/status.h"
#include "pbatch/tensor.h"

namespace pbatch::ort {

/// None for a type that pbatch does not hold.
std::optional<DType> dtype_of(ONNXTensorElementDataType type);

/// Element type and rank of a value; none for one that is no tensor or of a type we do not hold.
struct TensorType {
  DType dtype = DType::f32;
  std::size_t rank = 0;  ///< 0 also where ONNX Runtime knows none
};
std::optional<TensorType> type_of(const Ort::ConstValueInfo& value);

/// A view of the elements, which `value` must outlive. An error for what is no tensor on the CPU.
Result<Tensor> view_of(const Ort::ConstValue& value);

/// The constant that the value is, as a view that is valid as long as the graph is, or of its own;
/// none if it is no constant. `model_path`: of the file that the graph is from; may be empty.
Result<std::optional<Tensor>> constant_of(const Ort::ConstValueInfo& value,
                                          const std::string& model_path);

}  // namespace pbatch::ort
