#include "product/matrix_cache.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <mutex>
#include <new>
#include <optional>
#include <string>
#include <tuple>
#include <utility>

#include "base/aligned_buffer.h"
#include "base/fork.h"
#include "kernel/joined_planes.h"
#include "kernel/repack.h"
#include "layout/layout.h"
#include "product/bit_gemm.h"
#include "product/runs.h"
#include "product/weight_store.h"

namespace pbatch {
namespace {

using Bytes = std::shared_ptr<const std::uint8_t>;

Status no_memory() {
  return {ErrorCode::out_of_memory, "no memory to prepare a matrix of bit-layers",
          "free memory or use a smaller model"};
}

}  // namespace

struct MatrixCache::Impl final : WeightStore::Holder {
  explicit Impl(std::shared_ptr<const BitMatrix> m) : matrix(std::move(m)) {
    WeightStore::get().add(this);
  }
  ~Impl() override { WeightStore::get().remove(this); }

  struct Entry {
    std::shared_ptr<const PreparedMatrix> made;
    std::uint64_t used = 0;
  };
  // A part lives as long as a matrix that needs it.
  struct Part {
    std::weak_ptr<const std::uint8_t> bytes;
    std::size_t size = 0;
  };

  std::shared_ptr<const BitMatrix> matrix;
  std::mutex mutex;
  std::map<std::pair<const BitKernel*, int>, Entry> prepared;
  std::map<int, Part> scales;                                // by row of the codebook
  std::map<std::pair<PlaneLayout, int>, Part> repacked;      // by layout and plane
  std::map<std::tuple<PlaneLayout, int, int>, Part> joined;  // first plane and number of planes

  std::optional<std::uint64_t> oldest() override;
  std::shared_ptr<const void> give_up() override;
  std::map<std::pair<const BitKernel*, int>, Entry>::iterator find_oldest();
  std::int64_t bytes();

  static Result<Bytes> keep(Part& part, Bytes bytes, std::size_t size);
  Result<std::shared_ptr<const PreparedMatrix>> prepare(const BitKernel& kernel, int weight_bits);
  Result<Bytes> scales_of(int weight_bits);
  Result<Bytes> plane_in(PlaneLayout layout, int plane);
  Result<Bytes> joined_in(PlaneLayout layout, int first_plane, int n_planes);
  Status fill_digit(PreparedMatrix& made, int first_plane, WeightDigit& digit);
};

// What no plan holds; the one used least recently.
std::map<std::pair<const BitKernel*, int>, MatrixCache::Impl::Entry>::iterator
MatrixCache::Impl::find_oldest() {
  auto found = prepared.end();
  for (auto it = prepared.begin(); it != prepared.end(); ++it) {
    if (it->second.made == nullptr || it->second.made.use_count() > 1) continue;
    if (found == prepared.end() || it->second.used < found->second.used) found = it;
  }
  return found;
}

std::optional<std::uint64_t> MatrixCache::Impl::oldest() {
  const std::lock_guard lock(mutex);
  const auto found = find_oldest();
  return found != prepared.end() ? std::optional(found->second.used) : std::nullopt;
}

std::shared_ptr<const void> MatrixCache::Impl::give_up() {
  const std::lock_guard lock(mutex);
  const auto found = find_oldest();
  if (found == prepared.end()) return nullptr;
  std::shared_ptr<const void> given = std::move(found->second.made);
  prepared.erase(found);
  return given;
}

std::int64_t MatrixCache::Impl::bytes() {
  const std::lock_guard lock(mutex);
  std::size_t sum = 0;
  const auto add = [&sum](const auto& parts) {
    for (const auto& [key, part] : parts) sum += part.bytes.expired() ? 0 : part.size;
  };
  add(scales);
  add(repacked);
  add(joined);
  return static_cast<std::int64_t>(sum);
}

Result<Bytes> MatrixCache::Impl::keep(Part& part, Bytes bytes, std::size_t size) {
  if (bytes == nullptr) return no_memory();
  Bytes counted = WeightStore::get().count(std::move(bytes), size);
  part = {counted, size};
  return counted;
}

Result<Bytes> MatrixCache::Impl::scales_of(int weight_bits) {
  const int width = std::min(weight_bits, matrix->codebook_widths);
  Part& part = scales[width];
  if (Bytes made = part.bytes.lock()) return made;
  return keep(part, run_scales(*matrix, width), run_scales_bytes(*matrix));
}

Result<Bytes> MatrixCache::Impl::plane_in(PlaneLayout layout, int plane) {
  Part& part = repacked[{layout, plane}];
  if (Bytes made = part.bytes.lock()) return made;
  const std::int64_t blocks = row_blocks(matrix->rows) * col_blocks(matrix->cols);
  const auto size = static_cast<std::size_t>(blocks * kBlockBytes);
  auto bytes = std::static_pointer_cast<std::uint8_t>(allocate_aligned(size));
  if (bytes == nullptr) return no_memory();
  repack_plane(matrix->planes[static_cast<std::size_t>(plane)].data(), blocks, layout, bytes.get());
  return keep(part, std::move(bytes), size);
}

Result<Bytes> MatrixCache::Impl::joined_in(PlaneLayout layout, int first_plane, int n_planes) {
  const std::int64_t down = row_blocks(matrix->rows), across = col_blocks(matrix->cols);
  // One copy where dense fields are fields.
  if (joined_field_bits(layout, n_planes, down) == field_bits(n_planes, down)) {
    layout = kLayoutFields;
  }
  Part& part = joined[{layout, first_plane, n_planes}];
  if (Bytes made = part.bytes.lock()) return made;
  const auto size = static_cast<std::size_t>(joined_bytes(layout, down, across, n_planes));
  auto bytes = std::static_pointer_cast<std::uint8_t>(allocate_aligned(size));
  if (bytes == nullptr) return no_memory();
  std::array<const std::uint8_t*, 8> planes{};
  for (int i = 0; i < n_planes; ++i) {
    planes[static_cast<std::size_t>(i)] =
        matrix->planes[static_cast<std::size_t>(first_plane + i)].data();
  }
  join_planes(layout, planes.data(), n_planes, down, across, bytes.get());
  return keep(part, std::move(bytes), size);
}

// The planes from `first_plane` on, digit.n_planes of them, in the layout of made.kernel.
Status MatrixCache::Impl::fill_digit(PreparedMatrix& made, int first_plane, WeightDigit& digit) {
  const PlaneLayout layout = made.kernel->layout;
  if (joins_planes(layout)) {
    PBATCH_ASSIGN_OR_RETURN(Bytes bytes, joined_in(layout, first_plane, digit.n_planes));
    digit.planes[0] = bytes.get();
    made.repacked.push_back(std::move(bytes));
    return Status::ok();
  }
  for (int i = 0; i < digit.n_planes; ++i) {
    const std::uint8_t*& plane = digit.planes[static_cast<std::size_t>(i)];
    if (layout == kLayoutNibbles) {
      plane = matrix->planes[static_cast<std::size_t>(first_plane + i)].data();
    } else {
      PBATCH_ASSIGN_OR_RETURN(Bytes bytes, plane_in(layout, first_plane + i));
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
  made->outliers = OutlierProduct(*matrix, weight_bits);
  for (int d = 0; d < made->digit_count(); ++d) {
    WeightDigit& digit = made->digits[static_cast<std::size_t>(d)];
    digit.n_planes = std::min(8, weight_bits - 8 * d);
    PBATCH_RETURN_IF_ERROR(fill_digit(*made, 8 * d, digit));
  }
  return std::shared_ptr<const PreparedMatrix>(std::move(made));
}

MatrixCache::MatrixCache(std::shared_ptr<const BitMatrix> matrix)
    : impl_(std::make_unique<Impl>(std::move(matrix))) {}

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
std::int64_t MatrixCache::bytes() const { return impl_->bytes(); }

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
    std::shared_ptr<const PreparedMatrix> made;
    {
      // A child of the process may need this matrix while another thread prepares it here.
      const std::lock_guard no_fork(fork_mutex());
      const std::lock_guard lock(impl_->mutex);
      Impl::Entry& entry = impl_->prepared[{&kernel, weight_bits}];
      entry.used = WeightStore::get().now();
      if (entry.made != nullptr) return entry.made;
      PBATCH_ASSIGN_OR_RETURN(entry.made, impl_->prepare(kernel, weight_bits));
      made = entry.made;
    }
    WeightStore::get().make_room();  // which leaves what is held here
    return made;
  } catch (const std::bad_alloc&) {
    return no_memory();
  }
}

}  // namespace pbatch
