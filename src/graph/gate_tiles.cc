#include "graph/gate_tiles.h"

#include <algorithm>
#include <cctype>

namespace pbatch {

std::int64_t GateTiles::row(int gate, std::int64_t unit) const {
  const std::int64_t tile = unit / kTileUnits, lane = unit % kTileUnits;
  std::int64_t block = gates() * tile + gate;
  if (two_parts()) block = gate == 2 ? 2 * tiles() + tile : 2 * tile + gate;
  return block * kTileUnits + lane;
}

namespace {

Result<Tensor> zeros(Shape shape) {
  PBATCH_ASSIGN_OR_RETURN(Tensor t, Tensor::create(DType::f32, std::move(shape)));
  std::fill_n(t.mutable_data<float>(), t.size(), 0.0F);
  return t;
}

}  // namespace

Result<Tensor> tile_weights(const GateTiles& gates, const float* weights, std::int64_t cols) {
  PBATCH_ASSIGN_OR_RETURN(Tensor tiled, zeros({cols, gates.rows()}));
  float* const to = tiled.mutable_data<float>();
  for (int g = 0; g < gates.gates(); ++g) {
    for (std::int64_t u = 0; u < gates.hidden; ++u) {
      const float* const from = weights + (g * gates.hidden + u) * cols;
      const std::int64_t row = gates.row(g, u);
      for (std::int64_t c = 0; c < cols; ++c) to[c * gates.rows() + row] = from[c];
    }
  }
  return tiled;
}

Result<Tensor> tile_rows(const GateTiles& gates, const float* values) {
  PBATCH_ASSIGN_OR_RETURN(Tensor tiled, zeros({gates.rows()}));
  for (int g = 0; g < gates.gates(); ++g) {
    for (std::int64_t u = 0; u < gates.hidden; ++u) {
      tiled.mutable_data<float>()[gates.row(g, u)] = values[g * gates.hidden + u];
    }
  }
  return tiled;
}

Result<Tensor> pad_units(const GateTiles& gates, const float* values, int parts) {
  PBATCH_ASSIGN_OR_RETURN(Tensor padded, zeros({parts * gates.padded()}));
  for (int p = 0; p < parts; ++p) {
    std::copy_n(values + p * gates.hidden, gates.hidden,
                padded.mutable_data<float>() + p * gates.padded());
  }
  return padded;
}

Result<CellType> cell_type_of(const std::string& name) {
  std::string lower = name;
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  if (lower == "rnn") return CellType::rnn;
  if (lower == "lstm") return CellType::lstm;
  if (lower == "gru") return CellType::gru;
  return Status(ErrorCode::unsupported, "unknown recurrent cell '" + name + "'",
                "update pbatch or make the model anew");
}

}  // namespace pbatch
