// The functions that a model defines for itself.
#pragma once

#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "onnx/onnx.pb.h"
#include "pbatch/status.h"

namespace pbatch {

struct ModelFunction {
  const onnx::FunctionProto* proto = nullptr;
  std::vector<onnx::AttributeProto> defaults;  ///< of attributes that a call may leave out
  bool is_open = false;                        ///< its body is being written in place of a call
};

class FunctionTable {
 public:
  /// malformed if one is there twice. Refers to `model`.
  static Result<FunctionTable> of(const onnx::ModelProto& model);

  bool empty() const { return functions_.empty(); }
  /// The function that the node calls, or null.
  ModelFunction* find(const onnx::NodeProto& node);

 private:
  std::map<std::tuple<std::string, std::string, std::string>, ModelFunction> functions_;
};

}  // namespace pbatch
