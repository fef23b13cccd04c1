#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <set>

#include "base/output_files.h"
#include "format/model_file.h"
#include "format/safetensors.h"
#include "format/source_record.h"
#include "format/tensor_name.h"
#include "graph/bit_operators.h"
#include "graph/subgraphs.h"
#include "layout/bit_matrix.h"
#include "layout/layout.h"
#include "layout/scheme.h"
#include "onnx/export.h"

namespace pbatch {
namespace {

// Smaller constants stay inside the graph, where a viewer shows their values.
constexpr std::int64_t kInlineElements = 16;
constexpr std::int64_t kAlignment = 64;
constexpr const char* kSuffix = ".onnx";
// What the graph calls its data file where there are no files.
constexpr const char* kDataInMemory = "model.safetensors";
constexpr const char* kPaddingName = "pbatch.padding";

// Whether a constant can stand in the data file under its own name. Others stay inside the graph.
bool is_tensor_name(const std::string& name) {
  return name != kPaddingName && name != "__metadata__" && name == printable_utf8(name);
}

const char* version_of(const Graph& graph) {
  const char* version = kFormatVersion;
  bool outliers = false;
  visit_nodes(graph, [&](const Node& node) {
    if (node.matrix != nullptr && !node.matrix->outlier_places.empty()) outliers = true;
    if (node.domain == kPbatchDomain && node.has_attr(kColumnOrder)) {
      version = kFormatVersionOfOrders;
    }
  });
  return outliers ? kFormatVersionOfOutliers : version;
}

std::span<const std::uint8_t> bytes_of(const void* data, std::size_t size) {
  return {static_cast<const std::uint8_t*>(data), size};
}

// Lays all tensors out by significance: float constants and row scales, the
// byte-sized scales, then plane after plane across the whole model.
class FileLayout {
 public:
  explicit FileLayout(Graph graph) : graph_(std::move(graph)) {
    visit_graphs(graph_, [this](const Graph& g) {
      for (const Value& value : g.values) names_.insert(value.name);
    });
  }

  Status place_all() {
    collect_matrices();
    take_constants_of_subgraphs();
    place_constants();
    for (const auto& [matrix, name] : order_) place_row_scale(*matrix, name);
    for (const auto& [matrix, name] : order_) place_outliers(*matrix, name);
    for (const auto& [matrix, name] : order_) place_byte_scales(*matrix, name);
    pad();
    for (int plane = 0; plane < 16; ++plane) {
      for (const auto& [matrix, name] : order_) {
        if (plane < matrix->planes_available()) place_plane(*matrix, name, plane);
      }
    }
    for (const auto& [matrix, ids] : outlier_values_) {
      std::vector<ValueId>& all = matrix_values_[matrix];
      all.resize(kScaleInputs + kPlaneInputs, kNoValue);
      all.insert(all.end(), ids.begin(), ids.end());
    }
    return wire_nodes(graph_, matrix_values_);
  }

  /// Checksums and an id that ties the two files together.
  void seal() {
    std::string all;
    for (const auto& t : writer_.tensors()) {
      const std::string crc = crc32_hex(t.data);
      writer_.set_metadata("crc32/" + t.name, crc);
      all += t.name + "=" + crc + ";";
    }
    const std::string id =
        crc32_hex(bytes_of(all.data(), all.size())) + std::to_string(writer_.data_size());
    const char* const version = version_of(graph_);
    writer_.set_metadata("pbatch.format_version", version);
    writer_.set_metadata("pbatch.model_id", id);
    graph_.metadata["pbatch.format_version"] = version;
    graph_.metadata["pbatch.model_id"] = id;
  }

  Graph& graph() { return graph_; }
  const SafetensorsWriter& writer() const { return writer_; }

  std::optional<ExternalPlace> place(ValueId id, const std::string& location,
                                     std::int64_t data_start) const {
    const auto it = tensor_of_.find(id);
    if (it == tensor_of_.end()) return std::nullopt;
    const auto& t = writer_.tensors()[it->second];
    return ExternalPlace{location, data_start + t.begin, static_cast<std::int64_t>(t.data.size())};
  }

 private:
  void collect_matrices() {
    visit_nodes(graph_, [this](const Node& node) {
      if (node.matrix == nullptr || matrix_values_.contains(node.matrix.get())) return;
      matrix_values_[node.matrix.get()];
      order_.emplace_back(node.matrix.get(), unused_name(printable_utf8(node.name)));
    });
  }

  static bool belongs_outside(const Value& value) {
    return value.constant && value.constant->dtype() == DType::f32 &&
           value.constant->size() >= kInlineElements && is_tensor_name(value.name);
  }

  // All tensors of the data file are constants of the outermost graph, each once; subgraphs
  // know them by name.
  void take_constants_of_subgraphs() {
    std::set<std::pair<const void*, Shape>> here;
    std::set<std::string> taken;
    for (const Value& value : graph_.values) {
      taken.insert(value.name);
      if (value.constant) here.insert({value.constant->raw(), value.constant->shape()});
    }
    std::vector<Value> found;
    for (const Node& node : graph_.nodes) {
      for (const auto& entry : node.subgraphs) {
        visit_graphs(*entry.second, [&](const Graph& g) {
          const std::set<ValueId> outputs(g.outputs.begin(), g.outputs.end());
          for (std::size_t i = 0; i < g.values.size(); ++i) {
            const Value& value = g.values[i];
            if (!belongs_outside(value) || outputs.contains(static_cast<ValueId>(i))) continue;
            if (!here.insert({value.constant->raw(), value.constant->shape()}).second) continue;
            Value outside = value;
            for (int n = 2; !taken.insert(outside.name).second; ++n) {
              outside.name = value.name + "_" + std::to_string(n);
            }
            found.push_back(std::move(outside));
          }
        });
      }
    }
    for (Value& value : found) {
      names_.insert(value.name);
      graph_.add_value(std::move(value));
    }
  }

  void place_constants() {
    for (std::size_t i = 0; i < graph_.values.size(); ++i) {
      const Value& value = graph_.values[i];
      if (!belongs_outside(value)) continue;
      add(static_cast<ValueId>(i), value.name, DType::f32, value.constant->shape(),
          bytes_of(value.constant->raw(), value.constant->bytes()));
    }
  }

  // The layer's name, changed if its tensors would take a name that is in use.
  std::string unused_name(const std::string& layer) {
    std::vector<std::string> parts{"/row_scale", "/codebook", "/group_codes", "/outlier_places",
                                   "/outlier_values"};
    for (int plane = 0; plane < 16; ++plane) parts.push_back("/plane" + std::to_string(plane));
    const auto taken = [&](const std::string& name) {
      return std::any_of(parts.begin(), parts.end(),
                         [&](const std::string& part) { return names_.contains(name + part); });
    };
    std::string name = layer;
    for (int i = 2; taken(name); ++i) name = layer + "_" + std::to_string(i);
    for (const std::string& part : parts) names_.insert(name + part);
    return name;
  }

  void place_row_scale(const BitMatrix& m, const std::string& name) {
    add_matrix_value(m, name + "/row_scale", DType::f32, {m.rows}, m.row_scale.data(),
                     m.row_scale.size_bytes());
  }

  // They become the last inputs.
  void place_outliers(const BitMatrix& m, const std::string& name) {
    if (m.outlier_places.empty()) return;
    const Shape shape{static_cast<std::int64_t>(m.outlier_places.size())};
    outlier_values_[&m] = {add_tensor(m, name + "/outlier_places", DType::i32, shape,
                                      m.outlier_places.data(), m.outlier_places.size_bytes()),
                           add_tensor(m, name + "/outlier_values", DType::f32, shape,
                                      m.outlier_values.data(), m.outlier_values.size_bytes())};
  }

  void place_byte_scales(const BitMatrix& m, const std::string& name) {
    add_matrix_value(m, name + "/codebook", DType::u8, {m.codebook_widths, 256}, m.codebook.data(),
                     m.codebook.size());
    add_matrix_value(m, name + "/group_codes", DType::u8, {m.rows, m.groups()},
                     m.group_codes.data(), m.group_codes.size());
  }

  void place_plane(const BitMatrix& m, const std::string& name, int plane) {
    const auto bits = m.planes[static_cast<std::size_t>(plane)];
    add_matrix_value(m, name + "/plane" + std::to_string(plane), DType::u8,
                     {row_blocks(m.rows), col_blocks(m.cols), kBlockBytes}, bits.data(),
                     bits.size());
  }

  // Planes are whole numbers of 64-byte blocks, so one padding aligns them all.
  void pad() {
    static const std::array<std::uint8_t, kAlignment> zeros{};
    const std::int64_t rest = (kAlignment - writer_.data_size() % kAlignment) % kAlignment;
    if (rest == 0) return;
    writer_.add(kPaddingName, DType::u8, {rest},
                bytes_of(zeros.data(), static_cast<std::size_t>(rest)));
  }

  void add(ValueId id, const std::string& name, DType type, Shape shape,
           std::span<const std::uint8_t> data) {
    tensor_of_[id] = writer_.tensors().size();
    writer_.add(name, type, std::move(shape), data);
  }

  void add_matrix_value(const BitMatrix& m, const std::string& name, DType type, const Shape& shape,
                        const void* data, std::size_t size) {
    matrix_values_[&m].push_back(add_tensor(m, name, type, shape, data, size));
  }

  ValueId add_tensor(const BitMatrix& m, const std::string& name, DType type, const Shape& shape,
                     const void* data, std::size_t size) {
    Value value;
    value.name = name;
    value.dtype = type;
    value.constant = Tensor::view(type, shape, data, m.owner);
    const ValueId id = graph_.add_value(std::move(value));
    add(id, name, type, shape, bytes_of(data, size));
    return id;
  }

  using MatrixValues = std::map<const BitMatrix*, std::vector<ValueId>>;

  // Inputs of a stored node: its own, row scale, codebook, group codes, planes, outliers.
  Status wire_nodes(Graph& graph, const MatrixValues& matrix_values) {
    for (Node& node : graph.nodes) {
      PBATCH_RETURN_IF_ERROR(change_subgraphs(
          node, [this](Graph& subgraph) { return wire_nodes(subgraph, values_in(subgraph)); }));
      if (node.matrix == nullptr) continue;
      node.inputs.resize(find_bit_operator(node.op_type)->inputs, kNoValue);
      const auto& ids = matrix_values.at(node.matrix.get());
      node.inputs.insert(node.inputs.end(), ids.begin(), ids.end());
      node.attributes["rows"] = node.matrix->rows;
      node.attributes["cols"] = node.matrix->cols;
      node.attributes["group_size"] = std::int64_t{node.matrix->group};
      node.attributes["planes"] = std::int64_t{node.matrix->planes_available()};
      node.attributes["scheme"] = std::string(kSchemeName);
      if (!node.matrix->outlier_places.empty()) {
        node.attributes["outliers"] = static_cast<std::int64_t>(node.matrix->outlier_places.size());
      }
    }
    return Status::ok();
  }

  // The subgraph's own view of the tensors of its matrices, which stand in the outermost graph.
  MatrixValues values_in(Graph& subgraph) const {
    MatrixValues inside;
    for (const Node& node : subgraph.nodes) {
      if (node.matrix == nullptr || inside.contains(node.matrix.get())) continue;
      for (const ValueId id : matrix_values_.at(node.matrix.get())) {
        inside[node.matrix.get()].push_back(
            id == kNoValue ? kNoValue
                           : subgraph.add_value(graph_.values[static_cast<std::size_t>(id)]));
      }
    }
    return inside;
  }

  Graph graph_;
  SafetensorsWriter writer_;
  std::vector<std::pair<const BitMatrix*, std::string>> order_;
  MatrixValues matrix_values_, outlier_values_;
  std::map<ValueId, std::size_t> tensor_of_;
  std::set<std::string> names_;
};

std::string data_path_of(const std::string& model_path) {
  return model_path.substr(0, model_path.size() - std::string_view(kSuffix).size()) +
         ".safetensors";
}

struct Encoded {
  std::string model;   // the .onnx file
  std::string header;  // of the data file
};

// `location`: the data file's name in the graph.
Result<Encoded> encode(FileLayout& layout, const std::string& location) {
  PBATCH_RETURN_IF_ERROR(layout.place_all());
  layout.seal();
  Encoded encoded;
  PBATCH_ASSIGN_OR_RETURN(encoded.header, layout.writer().header());
  const auto data_start = static_cast<std::int64_t>(encoded.header.size());
  PBATCH_ASSIGN_OR_RETURN(encoded.model, export_onnx(layout.graph(), [&](ValueId id) {
                            return layout.place(id, location, data_start);
                          }));
  return encoded;
}

// The data file, piece by piece. Valid as long as both arguments.
std::vector<std::string_view> data_parts(const FileLayout& layout, const Encoded& encoded) {
  std::vector<std::string_view> parts{encoded.header};
  for (const auto& t : layout.writer().tensors()) {
    parts.emplace_back(reinterpret_cast<const char*>(t.data.data()), t.data.size());
  }
  return parts;
}

}  // namespace

Status check_model_path(const std::string& path, std::span<const std::string> sources) {
  if (!path.ends_with(kSuffix)) {
    return Status(ErrorCode::invalid_argument, "the output's name must end in .onnx",
                  "name it e.g. " + path + kSuffix)
        .in_file(path);
  }
  const std::string outputs[] = {path, data_path_of(path)};
  return OutputFiles::check_all(outputs, sources);
}

Result<SavedModel> save_model(const Graph& graph, const std::string& path,
                              const std::string& source_path) {
  std::vector<std::string> sources = graph.files;
  if (!source_path.empty()) sources.push_back(source_path);
  PBATCH_RETURN_IF_ERROR(check_model_path(path, sources));
  FileLayout layout(graph);
  if (!source_path.empty()) {
    PBATCH_RETURN_IF_ERROR(record_source(layout.graph(), source_path, path));
  }
  SavedModel saved;
  saved.model_path = path;
  saved.data_path = data_path_of(path);
  PBATCH_ASSIGN_OR_RETURN(
      const Encoded encoded,
      encode(layout, std::filesystem::path(saved.data_path).filename().string()));
  const std::vector<std::string_view> parts = data_parts(layout, encoded);
  OutputFiles files;
  PBATCH_RETURN_IF_ERROR(files.stage(saved.data_path, parts));
  PBATCH_RETURN_IF_ERROR(files.stage(saved.model_path, encoded.model));
  PBATCH_RETURN_IF_ERROR(files.commit());
  saved.model_bytes = static_cast<std::int64_t>(encoded.model.size());
  saved.data_bytes = static_cast<std::int64_t>(encoded.header.size()) + layout.writer().data_size();
  return saved;
}

Result<ModelBytes> encode_model(const Graph& graph) {
  FileLayout layout(graph);
  PBATCH_ASSIGN_OR_RETURN(Encoded encoded, encode(layout, kDataInMemory));
  ModelBytes bytes;
  bytes.data.reserve(encoded.header.size() + static_cast<std::size_t>(layout.writer().data_size()));
  for (const std::string_view part : data_parts(layout, encoded)) bytes.data += part;
  bytes.model = std::move(encoded.model);
  return bytes;
}

}  // namespace pbatch
