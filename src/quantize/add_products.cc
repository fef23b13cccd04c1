#include "quantize/add_products.h"

namespace pbatch {
namespace {

constexpr int kPanelLanes = 4;               // floats of a vector, as every machine has them
constexpr int kParts = 4;                    // vectors of a tile
constexpr int kCols = kPanelLanes * kParts;  // columns at a time
constexpr int kDepth = 64;                   // rows of b that are kept at hand
constexpr int kVectors = 2;                  // rows of out whose sums are in registers
typedef float PanelFloats __attribute__((vector_size(sizeof(float) * kPanelLanes)));

// `panel` is [depth][kCols].
template <int vectors>
void add_tile(const float* a, std::int64_t ld_a, const float* panel, std::int64_t depth, float* out,
              std::int64_t ld_out) {
  PanelFloats sum[vectors][kParts];
  for (int v = 0; v < vectors; ++v) __builtin_memcpy(sum[v], out + v * ld_out, sizeof sum[v]);
  for (std::int64_t j = 0; j < depth; ++j) {
    PanelFloats row[kParts];
    __builtin_memcpy(row, panel + j * kCols, sizeof row);
    for (int v = 0; v < vectors; ++v) {
      const float factor = a[v * ld_a + j];
      for (int p = 0; p < kParts; ++p) sum[v][p] += factor * row[p];
    }
  }
  for (int v = 0; v < vectors; ++v) __builtin_memcpy(out + v * ld_out, sum[v], sizeof sum[v]);
}

void add_edge(const float* a, std::int64_t ld_a, const float* b, std::int64_t ld_b,
              std::int64_t vectors, std::int64_t depth, std::int64_t cols, float* out,
              std::int64_t ld_out) {
  for (std::int64_t v = 0; v < vectors; ++v) {
    for (std::int64_t j = 0; j < depth; ++j) {
      const float factor = a[v * ld_a + j];
      for (std::int64_t k = 0; k < cols; ++k) out[v * ld_out + k] += factor * b[j * ld_b + k];
    }
  }
}

}  // namespace

void add_products(const float* a, std::int64_t ld_a, const float* b, std::int64_t ld_b,
                  std::int64_t vectors, std::int64_t depth, std::int64_t cols, float* out,
                  std::int64_t ld_out) {
  const std::int64_t whole = cols / kCols * kCols;
  for (std::int64_t first = 0; first < depth; first += kDepth) {
    const std::int64_t count = depth - first < kDepth ? depth - first : kDepth;
    const float* const a_part = a + first;
    const float* const b_part = b + first * ld_b;
    for (std::int64_t k = 0; k < whole; k += kCols) {
      float panel[kDepth * kCols];  // rows of b lie far apart
      for (std::int64_t j = 0; j < count; ++j) {
        for (int i = 0; i < kCols; ++i) panel[j * kCols + i] = b_part[j * ld_b + k + i];
      }
      std::int64_t v = 0;
      for (; v + kVectors <= vectors; v += kVectors) {
        add_tile<kVectors>(a_part + v * ld_a, ld_a, panel, count, out + v * ld_out + k, ld_out);
      }
      for (; v < vectors; ++v) {
        add_tile<1>(a_part + v * ld_a, ld_a, panel, count, out + v * ld_out + k, ld_out);
      }
    }
    add_edge(a_part, ld_a, b_part + whole, ld_b, vectors, count, cols - whole, out + whole, ld_out);
  }
}

}  // namespace pbatch
