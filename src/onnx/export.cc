#include "onnx/export.h"

#include <cstdint>
#include <exception>
#include <limits>
#include <map>
#include <new>
#include <utility>
#include <variant>
#include <vector>

#include "graph/onnx_dtype.h"
#include "onnx/onnx.pb.h"
#include "onnx/tensor_proto.h"

namespace pbatch {
namespace {

constexpr int kIrVersion = 8;
// protobuf's own limit: a message is smaller than 2 GB.
constexpr std::size_t kMaxModelBytes = std::numeric_limits<int>::max();

using Places = std::function<std::optional<ExternalPlace>(ValueId)>;
using AttributeKind = onnx::AttributeProto;

void write_type(const Value& value, onnx::ValueInfoProto* info) {
  info->set_name(value.name);
  onnx::TypeProto::Tensor* type = info->mutable_type()->mutable_tensor_type();
  type->set_elem_type(dtype_to_onnx(value.dtype));
  if (!value.dims) return;
  onnx::TensorShapeProto* shape = type->mutable_shape();
  for (const Dim& dim : *value.dims) {
    onnx::TensorShapeProto::Dimension* to = shape->add_dim();
    if (dim.value >= 0) {
      to->set_dim_value(dim.value);
    } else if (!dim.symbol.empty()) {
      to->set_dim_param(dim.symbol);
    }
  }
}

struct AttributeWriter {
  onnx::AttributeProto* to;

  void operator()(std::int64_t v) const {
    to->set_type(AttributeKind::INT);
    to->set_i(v);
  }
  void operator()(float v) const {
    to->set_type(AttributeKind::FLOAT);
    to->set_f(v);
  }
  void operator()(const std::string& v) const {
    to->set_type(AttributeKind::STRING);
    to->set_s(v);
  }
  void operator()(const Tensor& v) const {
    to->set_type(AttributeKind::TENSOR);
    write_tensor(v, true, to->mutable_t());
  }
  void operator()(const std::vector<std::int64_t>& v) const {
    to->set_type(AttributeKind::INTS);
    to->mutable_ints()->Add(v.begin(), v.end());
  }
  void operator()(const std::vector<float>& v) const {
    to->set_type(AttributeKind::FLOATS);
    to->mutable_floats()->Add(v.begin(), v.end());
  }
  void operator()(const std::vector<std::string>& v) const {
    to->set_type(AttributeKind::STRINGS);
    for (const std::string& s : v) to->add_strings(s);
  }
};

void write_place(const ExternalPlace& place, onnx::TensorProto* to) {
  to->set_data_location(onnx::TensorProto::EXTERNAL);
  const std::pair<const char*, std::string> entries[] = {
      {"location", place.location},
      {"offset", std::to_string(place.offset)},
      {"length", std::to_string(place.length)},
  };
  for (const auto& [key, text] : entries) {
    onnx::StringStringEntryProto* entry = to->add_external_data();
    entry->set_key(key);
    entry->set_value(text);
  }
}

class ModelWriter {
 public:
  ModelWriter(const Graph& graph, const Places& place) : graph_(graph), place_(place) {}

  Result<std::string> write() {
    model_.set_ir_version(kIrVersion);
    model_.set_producer_name("pbatch");
    model_.mutable_graph()->set_name(graph_.name.empty() ? "pbatch" : graph_.name);
    PBATCH_RETURN_IF_ERROR(write_opsets());
    for (const auto& [key, text] : graph_.metadata) {
      onnx::StringStringEntryProto* entry = model_.add_metadata_props();
      entry->set_key(key);
      entry->set_value(text);
    }
    for (const Node& node : graph_.nodes) write_node(node);
    PBATCH_RETURN_IF_ERROR(write_values());

    const std::size_t size = model_.ByteSizeLong();
    if (size > kMaxModelBytes) return too_large();
    std::string bytes;
    if (!model_.SerializeToString(&bytes)) {
      return Status(ErrorCode::internal, "cannot serialize the model");
    }
    return bytes;
  }

 private:
  static Status too_large() {
    return Status(ErrorCode::unsupported, "the model would be larger than 2 GB",
                  "store its constants in an external data file");
  }

  const Value& value(ValueId id) const { return graph_.values[static_cast<std::size_t>(id)]; }

  Status write_opsets() {
    std::map<std::string, int> opsets = graph_.opsets;
    for (const Node& node : graph_.nodes) {
      if (opsets.emplace(node.domain, node.opset).first->second != node.opset) {
        return Status(ErrorCode::internal,
                      "the graph holds nodes of two versions of domain '" + node.domain + "'")
            .at_node(node.name);
      }
    }
    for (const auto& [domain, version] : opsets) {
      onnx::OperatorSetIdProto* entry = model_.add_opset_import();
      entry->set_domain(domain);
      entry->set_version(version);
    }
    return Status::ok();
  }

  std::string name_of(ValueId id) const { return id == kNoValue ? std::string() : value(id).name; }

  void write_node(const Node& node) {
    onnx::NodeProto* to = model_.mutable_graph()->add_node();
    to->set_name(node.name);
    to->set_op_type(node.op_type);
    if (!node.domain.empty()) to->set_domain(node.domain);
    for (const ValueId id : node.inputs) to->add_input(name_of(id));
    for (const ValueId id : node.outputs) to->add_output(name_of(id));
    for (const auto& [name, attribute] : node.attributes) {
      onnx::AttributeProto* written = to->add_attribute();
      written->set_name(name);
      std::visit(AttributeWriter{written}, attribute);
    }
  }

  // Constants and inner values that something mentions, in their own order.
  Status write_values() {
    enum class Role : char { unused, inner, port };
    std::vector<Role> roles(graph_.values.size(), Role::unused);
    const auto mark = [&roles](const std::vector<ValueId>& ids, Role role) {
      for (const ValueId id : ids) {
        if (id != kNoValue) roles[static_cast<std::size_t>(id)] = role;
      }
    };
    for (const Node& node : graph_.nodes) {
      mark(node.inputs, Role::inner);
      mark(node.outputs, Role::inner);
    }
    mark(graph_.inputs, Role::port);
    mark(graph_.outputs, Role::port);

    onnx::GraphProto& graph = *model_.mutable_graph();
    for (const ValueId id : graph_.inputs) write_type(value(id), graph.add_input());
    for (const ValueId id : graph_.outputs) write_type(value(id), graph.add_output());
    std::size_t inline_bytes = 0;
    for (std::size_t v = 0; v < roles.size(); ++v) {
      const Value& held = graph_.values[v];
      if (roles[v] == Role::unused) continue;
      if (held.constant) {
        PBATCH_RETURN_IF_ERROR(write_constant(static_cast<ValueId>(v), &inline_bytes));
      } else if (roles[v] == Role::inner && held.dims) {
        write_type(held, graph.add_value_info());
      }
    }
    return Status::ok();
  }

  Status write_constant(ValueId id, std::size_t* inline_bytes) {
    const Tensor& tensor = *value(id).constant;
    const std::optional<ExternalPlace> place = place_ ? place_(id) : std::nullopt;
    if (!place) {
      *inline_bytes += tensor.bytes();
      if (*inline_bytes > kMaxModelBytes) return too_large();
    }
    onnx::TensorProto* to = model_.mutable_graph()->add_initializer();
    to->set_name(value(id).name);
    write_tensor(tensor, !place, to);
    if (place) write_place(*place, to);
    return Status::ok();
  }

  const Graph& graph_;
  const Places& place_;
  onnx::ModelProto model_;
};

}  // namespace

Result<std::string> export_onnx(const Graph& graph, const Places& place) {
  try {
    return ModelWriter(graph, place).write();
  } catch (const std::bad_alloc&) {
    return Status(ErrorCode::out_of_memory, "no memory to write the model", "close other programs");
  } catch (const std::exception& e) {
    return Status(ErrorCode::internal, std::string("cannot write the model: ") + e.what());
  }
}

}  // namespace pbatch
