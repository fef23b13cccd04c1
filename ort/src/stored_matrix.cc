#include "stored_matrix.h"

#include <string>
#include <utility>

#include "graph/bit_operators.h"
#include "layout/layout.h"

namespace pbatch::ort {
namespace {

Status damaged(const std::string& what) {
  return {ErrorCode::malformed, what, "the model is damaged; make it anew with 'pbatch quantize'"};
}

Result<Tensor> constant_input(const Graph& graph, const Node& node, std::size_t i, DType type,
                              std::int64_t size, const char* what) {
  const Tensor* t = node.inputs[i] == kNoValue ? nullptr : graph.constant(node.inputs[i]);
  if (t == nullptr || t->dtype() != type || (size >= 0 && t->size() != size)) {
    return damaged(std::string("its ") + what + " is missing or of the wrong size");
  }
  return *t;
}

// Sizes are checked against the tensors; the reader of the encoded model checks the rest.
Status read_shape(const Node& node, std::size_t first, BitMatrix* m) {
  PBATCH_ASSIGN_OR_RETURN(m->rows, node.int_attr("rows", 0));
  PBATCH_ASSIGN_OR_RETURN(m->cols, node.int_attr("cols", 0));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t group, node.int_attr("group_size", -1));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t planes, node.int_attr("planes", 0));
  constexpr std::int64_t most = std::int64_t{1} << 31;
  const bool known_group = group == 0 || group == 32 || group == 64 || group == 128;
  if (m->rows < 1 || m->rows >= most || m->cols < 1 || m->cols >= most || !known_group) {
    return damaged("its matrix has an impossible shape");
  }
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t outliers, node.int_attr("outliers", 0));
  const std::size_t inputs = outliers > 0 ? kPlaneInputs + 2 : static_cast<std::size_t>(planes);
  if (planes < 1 || planes > 16 || node.inputs.size() != first + kScaleInputs + inputs) {
    return damaged("it does not have the bit-layers that it declares");
  }
  m->group = static_cast<int>(group);
  m->planes_stored = static_cast<int>(planes);
  return Status::ok();
}

}  // namespace

Result<std::shared_ptr<const BitMatrix>> take_matrix(const Graph& graph, Node& node) {
  const std::size_t first = find_bit_operator(node.op_type)->inputs;
  auto m = std::make_shared<BitMatrix>();
  PBATCH_RETURN_IF_ERROR(read_shape(node, first, m.get()));
  PBATCH_ASSIGN_OR_RETURN(const Tensor row_scale,
                          constant_input(graph, node, first, DType::f32, m->rows, "row scale"));
  PBATCH_ASSIGN_OR_RETURN(const Tensor codebook,
                          constant_input(graph, node, first + 1, DType::u8, -1, "codebook"));
  PBATCH_ASSIGN_OR_RETURN(const Tensor codes, constant_input(graph, node, first + 2, DType::u8,
                                                             m->rows * m->groups(), "group codes"));
  if (codebook.size() % 256 != 0 || codebook.size() < 256 || codebook.size() > 16 * 256) {
    return damaged("its codebook is missing or of the wrong shape");
  }
  m->codebook_widths = static_cast<int>(codebook.size() / 256);
  m->row_scale = row_scale.span<float>();
  m->codebook = codebook.span<std::uint8_t>();
  m->group_codes = codes.span<std::uint8_t>();
  const std::size_t first_plane = first + kScaleInputs, behind = first_plane + kPlaneInputs;
  if (node.inputs.size() > behind) {
    PBATCH_ASSIGN_OR_RETURN(const std::int64_t count, node.int_attr("outliers", 0));
    PBATCH_ASSIGN_OR_RETURN(const Tensor places, constant_input(graph, node, behind, DType::i32,
                                                                count, "places of outliers"));
    PBATCH_ASSIGN_OR_RETURN(const Tensor values,
                            constant_input(graph, node, behind + 1, DType::f32, count, "outliers"));
    m->outlier_places = places.span<std::int32_t>();
    m->outlier_values = values.span<float>();
  }
  for (std::size_t i = first_plane; i < first_plane + static_cast<std::size_t>(m->planes_stored);
       ++i) {
    PBATCH_ASSIGN_OR_RETURN(
        const Tensor plane,
        constant_input(graph, node, i, DType::u8, plane_bytes(m->rows, m->cols), "bit-layer"));
    m->planes.push_back(plane.span<std::uint8_t>());
  }
  node.inputs.resize(first);
  return std::shared_ptr<const BitMatrix>(std::move(m));
}

}  // namespace pbatch::ort
