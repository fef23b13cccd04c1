#include "onnx/convert_node.h"

#include <algorithm>
#include <string>

#include "onnx/domain.h"

namespace pbatch {
namespace {

using Written = std::vector<onnx::NodeProto>;
using NodeConverter = void (*)(const onnx::NodeProto& node, Written& to);

const onnx::AttributeProto* find_attribute(const onnx::NodeProto& node, const std::string& name) {
  const auto it = std::find_if(node.attribute().begin(), node.attribute().end(),
                               [&](const auto& attribute) { return attribute.name() == name; });
  return it == node.attribute().end() ? nullptr : &*it;
}

onnx::NodeProto without_attribute(onnx::NodeProto node, const char* attribute) {
  auto& attributes = *node.mutable_attribute();
  attributes.erase(std::remove_if(attributes.begin(), attributes.end(),
                                  [&](const auto& a) { return a.name() == attribute; }),
                   attributes.end());
  return node;
}

// A node in front of `node`, with an output of its own.
onnx::NodeProto& add_before(const onnx::NodeProto& node, const char* op_type, const char* what,
                            Written& to) {
  onnx::NodeProto& made = to.emplace_back();
  made.set_op_type(op_type);
  if (!node.name().empty()) made.set_name(node.name() + "/" + what);
  made.add_output(node.output(0) + "/" + what);
  return made;
}

// The attribute `name` becomes input `place`: a constant, so that it may also refer to an attribute
// of the function around.
void move_to_input(const onnx::NodeProto& node, const char* name, int place, Written& to) {
  const onnx::AttributeProto* const given = find_attribute(node, name);
  if (given == nullptr) {
    to.push_back(node);
    return;
  }
  onnx::NodeProto& constant = add_before(node, "Constant", name, to);
  onnx::AttributeProto& value = *constant.add_attribute();
  value = *given;
  value.set_name(given->type() == onnx::AttributeProto::INT ? "value_int" : "value_ints");
  const std::string made = constant.output(0);
  onnx::NodeProto& moved = to.emplace_back(without_attribute(node, name));
  while (moved.input_size() <= place) moved.add_input();
  moved.set_input(place, made);
}

void axes_to_input(const onnx::NodeProto& node, Written& to) { move_to_input(node, "axes", 1, to); }
void split_to_input(const onnx::NodeProto& node, Written& to) {
  move_to_input(node, "split", 1, to);
}
void axis_to_input(const onnx::NodeProto& node, Written& to) {
  // The default was the second dimension, and is the last but one since.
  onnx::NodeProto said = node;
  if (find_attribute(node, "axis") == nullptr) {
    onnx::AttributeProto& axis = *said.add_attribute();
    axis.set_name("axis");
    axis.set_type(onnx::AttributeProto::INT);
    axis.set_i(1);
  }
  move_to_input(said, "axis", 2, to);
}

// A softmax over all dimensions from the axis on is one over the last of two.
void flatten_softmax(const onnx::NodeProto& node, Written& to) {
  const onnx::AttributeProto* const axis = find_attribute(node, "axis");
  if (axis != nullptr && axis->ref_attr_name().empty() && axis->i() == -1) {
    to.push_back(node);
    return;
  }
  onnx::NodeProto& flat = add_before(node, "Flatten", "flat", to);
  flat.add_input(node.input(0));
  if (axis != nullptr) *flat.add_attribute() = *axis;
  const std::string flat_value = flat.output(0);
  onnx::NodeProto& shape = add_before(node, "Shape", "shape", to);
  shape.add_input(node.input(0));
  const std::string shape_value = shape.output(0);
  onnx::NodeProto& softmax = add_before(node, node.op_type().c_str(), "rows", to);
  softmax.add_input(flat_value);
  const std::string rows = softmax.output(0);
  onnx::NodeProto& result = to.emplace_back();
  result.set_op_type("Reshape");
  result.set_name(node.name());
  result.add_input(rows);
  result.add_input(shape_value);
  result.add_output(node.output(0));
}

// Only training reads the ratio.
void drop_ratio(const onnx::NodeProto& node, Written& to) {
  to.push_back(without_attribute(node, "ratio"));
}

void say_number_of_outputs(const onnx::NodeProto& node, Written& to) {
  onnx::NodeProto& made = to.emplace_back(node);
  if (node.input_size() > 1 && !node.input(1).empty()) return;
  onnx::AttributeProto& count = *made.add_attribute();
  count.set_name("num_outputs");
  count.set_type(onnx::AttributeProto::INT);
  count.set_i(node.output_size());
}

void say_coordinates(const onnx::NodeProto& node, Written& to) {
  onnx::NodeProto& made = to.emplace_back(node);
  onnx::AttributeProto& mode = *made.add_attribute();
  mode.set_name("coordinate_transformation_mode");
  mode.set_type(onnx::AttributeProto::STRING);
  mode.set_s("output_half_pixel");
}

void rename_mode(const onnx::NodeProto& node, Written& to) {
  onnx::NodeProto& made = to.emplace_back(node);
  for (onnx::AttributeProto& attribute : *made.mutable_attribute()) {
    if (attribute.name() != "mode") continue;
    if (attribute.s() == "bilinear") attribute.set_s("linear");
    if (attribute.s() == "bicubic") attribute.set_s("cubic");
  }
}

// Operators that say the same in another way from an opset on, in the order of opsets; null where
// it is not the same. What only got more types or attributes is not here, nor what is the same
// without training.
struct OpsetChange {
  const char* op_type;
  int opset;
  NodeConverter convert;
};
constexpr OpsetChange kChanges[] = {
    {"Upsample", 9, nullptr},
    {"Scan", 9, nullptr},
    {"Slice", 10, nullptr},
    {"TopK", 10, nullptr},
    {"Upsample", 10, nullptr},
    {"Clip", 11, nullptr},
    {"Pad", 11, nullptr},
    {"Resize", 11, nullptr},
    {"SplitToSequence", 11, nullptr},
    {"Dropout", 12, drop_ratio},
    {"Hardmax", 13, flatten_softmax},
    {"LogSoftmax", 13, flatten_softmax},
    {"ReduceSum", 13, axes_to_input},
    {"Softmax", 13, flatten_softmax},
    {"Split", 13, split_to_input},
    {"Squeeze", 13, axes_to_input},
    {"Unsqueeze", 13, axes_to_input},
    {"RoiAlign", 16, say_coordinates},
    {"ReduceL1", 18, axes_to_input},
    {"ReduceL2", 18, axes_to_input},
    {"ReduceLogSum", 18, axes_to_input},
    {"ReduceLogSumExp", 18, axes_to_input},
    {"ReduceMax", 18, axes_to_input},
    {"ReduceMean", 18, axes_to_input},
    {"ReduceMin", 18, axes_to_input},
    {"ReduceProd", 18, axes_to_input},
    {"ReduceSumSquare", 18, axes_to_input},
    {"Split", 18, say_number_of_outputs},
    {"DFT", 20, axis_to_input},
    {"GridSample", 20, rename_mode},
    {"GroupNormalization", 21, nullptr},
};

Status means_something_else(const onnx::NodeProto& node, int from, int to) {
  return Status(ErrorCode::unsupported,
                node.op_type() + " of opset " + std::to_string(from) + " in a model of opset " +
                    std::to_string(to),
                "export all of the model for one opset")
      .at_node(node.name());
}

}  // namespace

Result<std::vector<onnx::NodeProto>> convert_node(const onnx::NodeProto& node, int from, int to) {
  Written made{node};
  if (!canonical_domain(node.domain()).empty() || node.output_size() == 0) return made;
  for (const OpsetChange& change : kChanges) {
    if (change.opset <= from || change.opset > to || node.op_type() != change.op_type) continue;
    if (change.convert == nullptr) return means_something_else(node, from, to);
    const onnx::NodeProto last = std::move(made.back());  // what stands before it only feeds it
    made.pop_back();
    change.convert(last, made);
  }
  return made;
}

}  // namespace pbatch
