#include <cmath>
#include <map>
#include <memory>
#include <span>

#include "format/model_data.h"
#include "format/model_file.h"
#include "format/shared_matrices.h"
#include "format/stored_plane.h"
#include "graph/bit_operators.h"
#include "graph/passes.h"
#include "graph/subgraphs.h"
#include "layout/bit_matrix.h"
#include "layout/layout.h"
#include "layout/scheme.h"
#include "onnx/import.h"

namespace pbatch {
namespace {

constexpr std::int64_t kMaxSide = std::int64_t{1} << 31;

Status damaged(const std::string& what) {
  return {ErrorCode::malformed, what, "the model is damaged; make it anew with 'pbatch quantize'"};
}

// The constant of input i, of the type and size it must have.
Result<const Tensor*> stored(const Graph& graph, const Node& node, std::size_t i, DType type,
                             std::int64_t size, const char* what) {
  const Tensor* t = graph.constant(node.inputs[i]);
  if (t == nullptr || t->dtype() != type || t->size() != size) {
    return damaged(std::string("its ") + what + " is missing or of the wrong size");
  }
  return t;
}

Status read_scales(const Graph& graph, const Node& node, std::size_t first, BitMatrix& m) {
  PBATCH_ASSIGN_OR_RETURN(const Tensor* row_scale,
                          stored(graph, node, first, DType::f32, m.rows, "row scale"));
  for (const float s : row_scale->span<float>()) {
    if (!std::isfinite(s)) {
      return {ErrorCode::not_finite, "a row scale is NaN or infinite",
              "make the model anew with 'pbatch quantize'"};
    }
  }
  const Tensor* codebook = graph.constant(node.inputs[first + 1]);
  if (codebook == nullptr || codebook->dtype() != DType::u8 || codebook->rank() != 2 ||
      codebook->dim(1) != 256 || codebook->dim(0) < 1 || codebook->dim(0) > 16) {
    return damaged("its codebook is missing or of the wrong shape");
  }
  PBATCH_ASSIGN_OR_RETURN(const Tensor* codes, stored(graph, node, first + 2, DType::u8,
                                                      m.rows * m.groups(), "group codes"));
  m.row_scale = row_scale->span<float>();
  m.codebook_widths = static_cast<int>(codebook->dim(0));
  m.codebook = codebook->span<std::uint8_t>();
  m.group_codes = codes->span<std::uint8_t>();
  return Status::ok();
}

// Its attribute says how many; they are the inputs from `first` on.
Status read_outliers(const Graph& graph, const Node& node, std::size_t first, std::int64_t count,
                     BitMatrix& m) {
  PBATCH_ASSIGN_OR_RETURN(const Tensor* places,
                          stored(graph, node, first, DType::i32, count, "places of outliers"));
  PBATCH_ASSIGN_OR_RETURN(const Tensor* values,
                          stored(graph, node, first + 1, DType::f32, count, "outliers"));
  m.outlier_places = places->span<std::int32_t>();
  m.outlier_values = values->span<float>();
  std::int64_t last = -1;
  for (const std::int32_t place : m.outlier_places) {
    if (place <= last || place >= m.rows * m.cols) return damaged("its outliers have no order");
    last = place;
  }
  for (const float value : m.outlier_values) {
    if (!std::isfinite(value)) {
      return {ErrorCode::not_finite, "an outlier is NaN or infinite",
              "make the model anew with 'pbatch quantize'"};
    }
  }
  return Status::ok();
}

// What the nodes of a model share: planes, by their names in the data file, and matrices, by the
// name of their first plane.
struct Shared {
  std::map<std::string, std::shared_ptr<StoredPlane>> planes;
  std::map<std::string, std::shared_ptr<const BitMatrix>> matrices;
};

using Planes = std::vector<std::shared_ptr<StoredPlane>>;

// Those at hand of a matrix's planes, which are the inputs from `first` on.
Result<Planes> read_planes(const Graph& graph, const Node& node, std::size_t first,
                           const BitMatrix& m, const ModelData& data, Shared& shared) {
  Planes planes;
  for (std::size_t i = first; i < first + static_cast<std::size_t>(m.planes_stored); ++i) {
    const Tensor* plane = graph.constant(node.inputs[i]);
    if (plane == nullptr || plane->dtype() != DType::u8) return damaged("a bit-layer is missing");
    if (plane->size() == 0) break;  // the data file was cut here
    if (plane->size() != plane_bytes(m.rows, m.cols))
      return damaged("a bit-layer has the wrong size");
    const std::string& name = graph.values[static_cast<std::size_t>(node.inputs[i])].name;
    // Another byte tensor, which is no plane, was read with the graph.
    if (data.file()->find(name) == nullptr) return damaged("a bit-layer is not in the data file");
    std::shared_ptr<StoredPlane>& stored = shared.planes[name];
    if (stored == nullptr) {
      stored = std::make_shared<StoredPlane>(*plane, *data.file(), name, data.checksum(name));
    }
    planes.push_back(stored);
  }
  return planes;
}

// The matrix that the inputs from `first` on describe.
Result<std::shared_ptr<const BitMatrix>> read_matrix(const Graph& graph, const Node& node,
                                                     std::size_t first, const ModelData& data,
                                                     Shared& shared) {
  auto m = std::make_shared<BitMatrix>();
  PBATCH_ASSIGN_OR_RETURN(m->rows, node.int_attr("rows", 0));
  PBATCH_ASSIGN_OR_RETURN(m->cols, node.int_attr("cols", 0));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t group, node.int_attr("group_size", -1));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t planes, node.int_attr("planes", 0));
  if (m->rows < 1 || m->rows >= kMaxSide || m->cols < 1 || m->cols >= kMaxSide) {
    return damaged("its matrix has an impossible shape");
  }
  if (group != 0 && group != 32 && group != 64 && group != 128) {
    return damaged("its group size is not 0, 32, 64 or 128");
  }
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t outliers, node.int_attr("outliers", 0));
  PBATCH_ASSIGN_OR_RETURN(const std::string scheme, node.string_attr("scheme", kSchemeName));
  if (scheme != kSchemeName) {
    return Status(ErrorCode::unsupported, "its codes are of the scheme '" + scheme + "'",
                  "update pbatch or make the model anew");
  }
  const std::size_t first_plane = first + kScaleInputs, behind = first_plane + kPlaneInputs;
  const std::size_t last_plane = first_plane + static_cast<std::size_t>(planes);
  if (planes < 1 || planes > 16 || outliers < 0 ||
      node.inputs.size() != (outliers > 0 ? behind + 2 : last_plane)) {
    return damaged("it does not have the bit-layers that it declares");
  }
  m->group = static_cast<int>(group);
  m->planes_stored = static_cast<int>(planes);
  PBATCH_RETURN_IF_ERROR(read_scales(graph, node, first, *m));
  if (outliers > 0) PBATCH_RETURN_IF_ERROR(read_outliers(graph, node, behind, outliers, *m));

  // The graph will let go of these tensors, wherever their bytes are.
  auto kept = std::make_shared<std::vector<Tensor>>();
  for (std::size_t i = first; i < node.inputs.size(); ++i) {
    if (const Tensor* t = graph.constant(node.inputs[i])) kept->push_back(*t);
  }
  m->owner = std::move(kept);
  PBATCH_ASSIGN_OR_RETURN(const Planes stored,
                          read_planes(graph, node, first_plane, *m, data, shared));
  for (const auto& plane : stored) m->planes.push_back(plane->bytes());
  for (std::size_t i = first_plane; i < last_plane; ++i) {
    if (node.inputs[i] == kNoValue) return damaged("a bit-layer is missing");
    m->plane_checksums.push_back(
        data.checksum(graph.values[static_cast<std::size_t>(node.inputs[i])].name));
  }
  m->verify_planes = [stored](int n) {
    for (const auto& plane : std::span(stored).first(static_cast<std::size_t>(n))) {
      PBATCH_RETURN_IF_ERROR(plane->load());
    }
    return Status::ok();
  };
  return std::shared_ptr<const BitMatrix>(std::move(m));
}

Status check_pair(const Graph& graph, const ModelData& data) {
  const std::string version = graph.metadata.at("pbatch.format_version");
  if (version != kFormatVersion && version != kFormatVersionOfOrders &&
      version != kFormatVersionOfOutliers) {
    return {ErrorCode::unsupported,
            "model format version '" + version + "', but this pbatch reads " + kFormatVersion +
                " to " + kFormatVersionOfOutliers,
            "update pbatch or make the model anew"};
  }
  if (data.file() == nullptr) return Status::ok();  // nothing was large enough to store outside
  const auto& ours = graph.metadata;
  const auto& theirs = data.file()->metadata();
  const auto a = ours.find("pbatch.model_id"), b = theirs.find("pbatch.model_id");
  if (a == ours.end() || b == theirs.end() || a->second != b->second) {
    return Status(ErrorCode::malformed, "the data file belongs to another model",
                  "copy the .onnx and .safetensors files that were made together")
        .in_file(data.file()->path());
  }
  return Status::ok();
}

// Where the planes of a matrix, whose inputs begin at `first`, come from.
std::string key_of(const Graph& graph, const Node& node, std::size_t first, const ModelData& data) {
  std::string key = data.file()->bytes()->identity();
  if (key.empty()) return {};
  key += data.file()->metadata().at("pbatch.model_id");
  for (std::size_t i = first; i < node.inputs.size(); ++i) {
    key += '\0';
    if (node.inputs[i] != kNoValue)
      key += graph.values[static_cast<std::size_t>(node.inputs[i])].name;
  }
  return key;
}

Status attach_matrices(Graph& graph, const ModelData& data, Shared& shared) {
  for (Node& node : graph.nodes) {
    PBATCH_RETURN_IF_ERROR(change_subgraphs(
        node, [&](Graph& subgraph) { return attach_matrices(subgraph, data, shared); }));
    const BitOperator* const op =
        node.domain == kPbatchDomain ? find_bit_operator(node.op_type) : nullptr;
    if (op == nullptr) continue;
    const std::size_t first = op->inputs + kScaleInputs;
    if (data.file() == nullptr || node.inputs.size() <= first) {
      return damaged("it has no bit-layers").at_node(node.name);
    }
    const ValueId first_plane = node.inputs[first];
    if (first_plane == kNoValue) return damaged("a bit-layer is missing").at_node(node.name);
    auto& matrix = shared.matrices[graph.values[static_cast<std::size_t>(first_plane)].name];
    if (matrix == nullptr) {
      Result<std::shared_ptr<const BitMatrix>> read =
          read_matrix(graph, node, op->inputs, data, shared);
      if (!read) return read.status().at_node(node.name);
      const std::string key = key_of(graph, node, op->inputs, data);
      matrix = key.empty() ? *std::move(read) : shared_matrix(key, *std::move(read));
    }
    node.matrix = matrix;
    node.inputs.resize(op->inputs);
  }
  return Status::ok();
}

// What makes a pbatch model of the graph of its .onnx file; a float network stays as it is.
Result<Graph> attach_planes(Graph graph, const ModelData& data, const std::string& path) {
  if (!graph.metadata.contains("pbatch.format_version")) {
    Status status;
    visit_nodes(graph, [&](const Node& node) {
      if (node.domain != "pbatch" || !status) return;
      status = damaged("a pbatch operator in a file without a pbatch format version")
                   .at_node(node.name)
                   .in_file(path);
    });
    PBATCH_RETURN_IF_ERROR(status);
    return graph;
  }
  if (Status s = check_pair(graph, data); !s) return std::move(s).in_file(path);
  Shared shared;
  if (Status s = attach_matrices(graph, data, shared); !s) return std::move(s).in_file(path);
  PBATCH_RETURN_IF_ERROR(remove_unused(graph));
  return graph;
}

}  // namespace

Result<Graph> load_model(const std::string& path) {
  ModelData data(path);
  PBATCH_ASSIGN_OR_RETURN(Graph graph, import_onnx(path, &data));
  return attach_planes(std::move(graph), data, path);
}

Result<Graph> load_model_bytes(std::string_view model, std::string_view data) {
  ModelData in_memory(data);
  PBATCH_ASSIGN_OR_RETURN(Graph graph,
                          import_onnx_bytes(model.data(), model.size(), {}, &in_memory));
  return attach_planes(std::move(graph), in_memory, {});
}

}  // namespace pbatch
