#include "onnx/export.h"

#include <cstdint>
#include <exception>
#include <limits>
#include <map>
#include <new>
#include <set>
#include <utility>
#include <variant>
#include <vector>

#include "graph/onnx_dtype.h"
#include "graph/subgraphs.h"
#include "onnx/onnx.pb.h"
#include "onnx/tensor_proto.h"

namespace pbatch {
namespace {

constexpr int kIrVersion = 8;
// protobuf's own limit: a message is smaller than 2 GB.
constexpr std::size_t kMaxExportBytes = std::numeric_limits<int>::max();

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

Status export_too_large() {
  return Status(ErrorCode::unsupported, "the model would be larger than 2 GB",
                "store its constants in an external data file");
}

using Names = std::set<std::string>;

// One graph of the model. Names have their final form.
class GraphWriter {
 public:
  // `around`: names of all values of the graphs around this one.
  GraphWriter(const Graph& graph, std::size_t captures, const Names& around, const Places& place,
              std::size_t* inline_bytes, onnx::GraphProto* to)
      : graph_(graph),
        captures_(captures),
        around_(around),
        place_(place),
        inline_bytes_(inline_bytes),
        to_(to) {}

  Status write() {
    to_->set_name(graph_.name.empty() ? "pbatch" : graph_.name);
    visible_ = around_;
    for (const Value& v : graph_.values) visible_.insert(v.name);
    for (const Node& node : graph_.nodes) PBATCH_RETURN_IF_ERROR(write_node(node));
    return write_values();
  }

 private:
  const Value& value(ValueId id) const { return graph_.values[static_cast<std::size_t>(id)]; }
  std::string name_of(ValueId id) const { return id == kNoValue ? std::string() : value(id).name; }

  Status write_node(const Node& node) {
    onnx::NodeProto* to = to_->add_node();
    to->set_name(node.name);
    to->set_op_type(node.op_type);
    if (!node.domain.empty()) to->set_domain(node.domain);
    for (std::size_t i = 0; i < own_inputs(node); ++i) to->add_input(name_of(node.inputs[i]));
    for (const ValueId id : node.outputs) to->add_output(name_of(id));
    for (const auto& [name, attribute] : node.attributes) {
      onnx::AttributeProto* written = to->add_attribute();
      written->set_name(name);
      std::visit(AttributeWriter{written}, attribute);
    }
    for (const auto& [name, subgraph] : node.subgraphs) {
      onnx::AttributeProto* written = to->add_attribute();
      written->set_name(name);
      written->set_type(AttributeKind::GRAPH);
      PBATCH_RETURN_IF_ERROR(GraphWriter(*subgraph, node.captures, visible_, Places(),
                                         inline_bytes_, written->mutable_g())
                                 .write());
    }
    return Status::ok();
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
    Names inside;  // constants of subgraphs, which perhaps stand here
    for (const Node& node : graph_.nodes) {
      mark(node.inputs, Role::inner);
      mark(node.outputs, Role::inner);
      for (const auto& entry : node.subgraphs) {
        visit_graphs(*entry.second, [&inside](const Graph& inner) {
          for (const Value& v : inner.values) {
            if (v.constant) inside.insert(v.name);
          }
        });
      }
    }
    mark(graph_.inputs, Role::port);
    mark(graph_.outputs, Role::port);

    for (std::size_t i = 0; i + captures_ < graph_.inputs.size(); ++i) {
      write_type(value(graph_.inputs[i]), to_->add_input());
    }
    for (const ValueId id : graph_.inputs) {
      if (value(id).fallback) PBATCH_RETURN_IF_ERROR(write_initializer(id, *value(id).fallback));
    }
    for (const ValueId id : graph_.outputs) write_output(value(id));
    for (std::size_t v = 0; v < roles.size(); ++v) {
      const Value& held = graph_.values[v];
      if (roles[v] == Role::unused && !(held.constant && inside.count(held.name) != 0)) continue;
      if (held.constant) {
        if (around_.count(held.name) != 0) continue;  // one of the graphs around has it
        PBATCH_RETURN_IF_ERROR(write_initializer(static_cast<ValueId>(v), *held.constant));
      } else if (roles[v] == Role::inner && held.dims) {
        write_type(held, to_->add_value_info());
      }
    }
    return Status::ok();
  }

  // Of a subgraph's output the file may have said nothing, which looks like float32 without a shape
  // here and is left unsaid again: another branch may declare another type.
  void write_output(const Value& output) {
    const bool unsaid = !output.dims && !output.constant && output.dtype == DType::f32;
    if (unsaid && !around_.empty()) {
      to_->add_output()->set_name(output.name);
    } else {
      write_type(output, to_->add_output());
    }
  }

  Status write_initializer(ValueId id, const Tensor& tensor) {
    const std::optional<ExternalPlace> place = place_ ? place_(id) : std::nullopt;
    if (!place) {
      *inline_bytes_ += tensor.bytes();
      if (*inline_bytes_ > kMaxExportBytes) return export_too_large();
    }
    onnx::TensorProto* to = to_->add_initializer();
    to->set_name(value(id).name);
    write_tensor(tensor, !place, to);
    if (place) write_place(*place, to);
    return Status::ok();
  }

  const Graph& graph_;
  const std::size_t captures_;
  const Names& around_;
  const Places& place_;
  std::size_t* const inline_bytes_;
  onnx::GraphProto* const to_;
  Names visible_;
};

Status write_opsets(const Graph& graph, onnx::ModelProto* model) {
  std::map<std::string, int> opsets = graph.opsets;
  Status status;
  visit_nodes(graph, [&](const Node& node) {
    if (opsets.emplace(node.domain, node.opset).first->second == node.opset || !status) return;
    status = Status(ErrorCode::internal,
                    "the graph holds nodes of two versions of domain '" + node.domain + "'")
                 .at_node(node.name);
  });
  for (const auto& [domain, version] : opsets) {
    onnx::OperatorSetIdProto* entry = model->add_opset_import();
    entry->set_domain(domain);
    entry->set_version(version);
  }
  return status;
}

Result<std::string> write_model(const Graph& given, const Places& place) {
  Graph graph = given;
  scope_names(graph);
  onnx::ModelProto model;
  model.set_ir_version(kIrVersion);
  model.set_producer_name("pbatch");
  PBATCH_RETURN_IF_ERROR(write_opsets(graph, &model));
  for (const auto& [key, text] : graph.metadata) {
    onnx::StringStringEntryProto* entry = model.add_metadata_props();
    entry->set_key(key);
    entry->set_value(text);
  }
  std::size_t inline_bytes = 0;
  PBATCH_RETURN_IF_ERROR(
      GraphWriter(graph, 0, Names(), place, &inline_bytes, model.mutable_graph()).write());
  const std::size_t size = model.ByteSizeLong();
  if (size > kMaxExportBytes) return export_too_large();
  std::string bytes;
  if (!model.SerializeToString(&bytes)) {
    return Status(ErrorCode::internal, "cannot serialize the model");
  }
  return bytes;
}

}  // namespace

Result<std::string> export_onnx(const Graph& graph, const Places& place) {
  try {
    return write_model(graph, place);
  } catch (const std::bad_alloc&) {
    return Status(ErrorCode::out_of_memory, "no memory to write the model", "close other programs");
  } catch (const std::exception& e) {
    return Status(ErrorCode::internal, std::string("cannot write the model: ") + e.what());
  }
}

}  // namespace pbatch
