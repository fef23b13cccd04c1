#include "execute/matrix_cache.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <mutex>
#include <new>
#include <string>
#include <utility>

#include "base/aligned_buffer.h"
#include "execute/bit_gemm.h"
#include "execute/runs.h"
#include "kernel/repack.h"
#include "pack/layout.h"

namespace pbatch {
namespace {

using Bytes = std::shared_ptr<const std::uint8_t>;

Status no_memory() {
  return {ErrorCode::out_of_memory, "no memory to prepare a matrix of bit-layers",
          "free memory or use a smaller model"};
}

}  // namespace

struct MatrixCache::Impl {
  std::shared_ptr<const BitMatrix> matrix;
  std::mutex mutex;
  std::map<std::pair<const BitKernel*, int>, std::shared_ptr<const PreparedMatrix>> prepared;
  std::map<int, Bytes> scales;                            // by row of the codebook
  std::map<std::pair<PlaneLayout, int>, Bytes> repacked;  // by layout and plane
  std::map<std::pair<int, int>, Bytes> fields;            // by first plane and number of planes

  Result<std::shared_ptr<const PreparedMatrix>> prepare(const BitKernel& kernel, int weight_bits);
  Result<Bytes> scales_of(int weight_bits);
  Result<Bytes> plane_in(PlaneLayout layout, int plane);
  Result<Bytes> fields_of(int first_plane, int n_planes);
  Status fill_digit(PreparedMatrix& made, int first_plane, WeightDigit& digit);
};

Result<Bytes> MatrixCache::Impl::scales_of(int weight_bits) {
  const int width = std::min(weight_bits, matrix->codebook_widths);
  Bytes& entry = scales[width];
  if (entry == nullptr) entry = run_scales(*matrix, width);
  if (entry == nullptr) return no_memory();
  return entry;
}

Result<Bytes> MatrixCache::Impl::plane_in(PlaneLayout layout, int plane) {
  Bytes& entry = repacked[{layout, plane}];
  if (entry != nullptr) return entry;
  const std::int64_t blocks = row_blocks(matrix->rows) * col_blocks(matrix->cols);
  auto bytes = std::static_pointer_cast<std::uint8_t>(
      allocate_aligned(static_cast<std::size_t>(blocks * kBlockBytes)));
  if (bytes == nullptr) return no_memory();
  repack_plane(matrix->planes[static_cast<std::size_t>(plane)].data(), blocks, layout, bytes.get());
  entry = std::move(bytes);
  return entry;
}

Result<Bytes> MatrixCache::Impl::fields_of(int first_plane, int n_planes) {
  Bytes& entry = fields[{first_plane, n_planes}];
  if (entry != nullptr) return entry;
  const std::int64_t down = row_blocks(matrix->rows), across = col_blocks(matrix->cols);
  auto bytes = std::static_pointer_cast<std::uint8_t>(
      allocate_aligned(static_cast<std::size_t>(fields_bytes(down, across, n_planes))));
  if (bytes == nullptr) return no_memory();
  std::array<const std::uint8_t*, 8> planes{};
  for (int i = 0; i < n_planes; ++i) {
    planes[static_cast<std::size_t>(i)] =
        matrix->planes[static_cast<std::size_t>(first_plane + i)].data();
  }
  repack_fields(planes.data(), n_planes, down, across, bytes.get());
  entry = std::move(bytes);
  return entry;
}

// The planes from `first_plane` on, digit.n_planes of them, in the layout of made.kernel.
Status MatrixCache::Impl::fill_digit(PreparedMatrix& made, int first_plane, WeightDigit& digit) {
  if (made.kernel->layout == kLayoutFields) {
    PBATCH_ASSIGN_OR_RETURN(Bytes bytes, fields_of(first_plane, digit.n_planes));
    digit.planes[0] = bytes.get();
    made.repacked.push_back(std::move(bytes));
    return Status::ok();
  }
  for (int i = 0; i < digit.n_planes; ++i) {
    const std::uint8_t*& plane = digit.planes[static_cast<std::size_t>(i)];
    if (made.kernel->layout == kLayoutNibbles) {
      plane = matrix->planes[static_cast<std::size_t>(first_plane + i)].data();
    } else {
      PBATCH_ASSIGN_OR_RETURN(Bytes bytes, plane_in(made.kernel->layout, first_plane + i));
      plane = bytes.get();
      made.repacked.push_back(std::move(bytes));
    }
  }
  return Status::ok();
}

Result<std::shared_ptr<const PreparedMatrix>> MatrixCache::Impl::prepare(const BitKernel& kernel,
                                                                         int weight_bits) {
  auto made = std::make_shared<PreparedMatrix>();
  made->kernel = &kernel;
  made->matrix = matrix;
  made->weight_bits = weight_bits;
  made->run_blocks = run_blocks_of(*matrix);
  made->runs = runs_of(*matrix);
  PBATCH_ASSIGN_OR_RETURN(made->scales, scales_of(weight_bits));
  for (int d = 0; d < made->digit_count(); ++d) {
    WeightDigit& digit = made->digits[static_cast<std::size_t>(d)];
    digit.n_planes = std::min(8, weight_bits - 8 * d);
    PBATCH_RETURN_IF_ERROR(fill_digit(*made, 8 * d, digit));
  }
  return std::shared_ptr<const PreparedMatrix>(std::move(made));
}

MatrixCache::MatrixCache(std::shared_ptr<const BitMatrix> matrix)
    : impl_(std::make_unique<Impl>()) {
  impl_->matrix = std::move(matrix);
}

MatrixCache::~MatrixCache() = default;

std::shared_ptr<MatrixCache> MatrixCache::shared(const std::shared_ptr<const BitMatrix>& matrix) {
  static std::mutex mutex;
  static std::map<const BitMatrix*, std::weak_ptr<MatrixCache>> caches;
  const std::lock_guard lock(mutex);
  // A cache keeps its matrix, so no other can be at the address of one that lives.
  if (auto found = caches[matrix.get()].lock()) return found;
  std::erase_if(caches, [](const auto& entry) { return entry.second.expired(); });
  auto made = std::make_shared<MatrixCache>(matrix);
  caches[matrix.get()] = made;
  return made;
}

const BitMatrix& MatrixCache::matrix() const { return *impl_->matrix; }

Result<std::shared_ptr<const PreparedMatrix>> MatrixCache::get(const BitKernel& kernel,
                                                               int weight_bits) {
  if (weight_bits < 1 || weight_bits > 16) {
    return Status(ErrorCode::invalid_argument,
                  "a product of bit-layers at " + std::to_string(weight_bits) + " weight bits",
                  "ask for 1 to 16 bits");
  }
  const int available = impl_->matrix->planes_available();
  if (weight_bits > available) {
    return Status(ErrorCode::precision_unavailable,
                  std::to_string(weight_bits) + " weight bits asked for, but " +
                      std::to_string(available) + " bit-layers are at hand",
                  "ask for fewer bits");
  }
  try {
    const std::lock_guard lock(impl_->mutex);
    auto& entry = impl_->prepared[{&kernel, weight_bits}];
    if (entry == nullptr) {
      PBATCH_ASSIGN_OR_RETURN(entry, impl_->prepare(kernel, weight_bits));
    }
    return entry;
  } catch (const std::bad_alloc&) {
    return no_memory();
  }
}

}  // namespace pbatch
