#include "format/weights_checksum.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "format/safetensors.h"
#include "graph/subgraphs.h"
#include "layout/bit_matrix.h"

namespace pbatch {
namespace {

std::string description_of(const BitMatrix& m) {
  std::string text = std::to_string(m.rows) + "x" + std::to_string(m.cols) + "/" +
                     std::to_string(m.group) + "/" + std::to_string(m.codebook_widths);
  for (const std::string& checksum : m.plane_checksums) text += ' ' + checksum;
  if (m.plane_checksums.empty()) {
    for (const auto plane : m.planes) text += ' ' + crc32_hex(plane);
  }
  const auto* const row_scale = reinterpret_cast<const std::uint8_t*>(m.row_scale.data());
  if (!m.outlier_places.empty()) {
    const auto* const places = reinterpret_cast<const std::uint8_t*>(m.outlier_places.data());
    const auto* const values = reinterpret_cast<const std::uint8_t*>(m.outlier_values.data());
    text += ' ' + crc32_hex({places, m.outlier_places.size_bytes()}) + ' ' +
            crc32_hex({values, m.outlier_values.size_bytes()});
  }
  return text + ' ' + crc32_hex(m.group_codes) + ' ' + crc32_hex(m.codebook) + ' ' +
         crc32_hex({row_scale, m.row_scale.size_bytes()}) + '\n';
}

}  // namespace

std::string checksum_of_weights(const Graph& graph) {
  std::map<const BitMatrix*, std::string> known;
  std::vector<std::string> layers;
  visit_nodes(graph, [&](const Node& node) {
    if (node.matrix == nullptr) return;
    std::string& description = known[node.matrix.get()];
    if (description.empty()) description = description_of(*node.matrix);
    layers.push_back(node.name + '\n' + description);
  });
  if (layers.empty()) return {};
  std::sort(layers.begin(), layers.end());  // passes may change the order
  Crc32 crc;
  for (const std::string& layer : layers) {
    crc.add({reinterpret_cast<const std::uint8_t*>(layer.data()), layer.size()});
  }
  return crc.hex();
}

}  // namespace pbatch
