#include "layer_name.h"

#include <string_view>

namespace pbatch::ort {

std::string layer_name(const Ort::ConstNode& node) {
  std::string name = node.GetName();
  constexpr std::string_view fused = "/MatMulAddFusion";
  const std::size_t at = name.find(fused);
  if (at != std::string::npos && at > 0) name.resize(at);
  if (name.empty()) name = node.GetOperatorType() + "_" + std::to_string(node.GetId());
  return name;
}

}  // namespace pbatch::ort
