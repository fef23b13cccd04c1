#include "format/shared_matrices.h"

#include <algorithm>
#include <map>
#include <mutex>

namespace pbatch {
namespace {

template <class T>
bool equal(std::span<const T> a, std::span<const T> b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end());
}

// Scales may lie in the .onnx file, which need not be the same one.
bool are_alike(const BitMatrix& a, const BitMatrix& b) {
  return a.rows == b.rows && a.cols == b.cols && a.group == b.group &&
         a.planes_stored == b.planes_stored && a.codebook_widths == b.codebook_widths &&
         a.planes.size() == b.planes.size() && equal(a.row_scale, b.row_scale) &&
         equal(a.codebook, b.codebook) && equal(a.group_codes, b.group_codes) &&
         equal(a.outlier_places, b.outlier_places) && equal(a.outlier_values, b.outlier_values);
}

}  // namespace

std::shared_ptr<const BitMatrix> shared_matrix(const std::string& key,
                                               std::shared_ptr<const BitMatrix> made) {
  static std::mutex mutex;
  static std::map<std::string, std::weak_ptr<const BitMatrix>> matrices;
  const std::lock_guard lock(mutex);
  if (auto held = matrices[key].lock()) return are_alike(*held, *made) ? held : made;
  std::erase_if(matrices, [](const auto& entry) { return entry.second.expired(); });
  matrices[key] = made;
  return made;
}

}  // namespace pbatch
