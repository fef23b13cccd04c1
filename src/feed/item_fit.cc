#include "feed/item_fit.h"

#include <algorithm>
#include <cstring>
#include <optional>

namespace pbatch {
namespace {

std::int64_t product(const Shape& shape) {
  std::int64_t n = 1;
  for (const std::int64_t d : shape) n *= d;
  return n;
}

bool agrees(const Shape& shape, const Shape& wanted) {
  if (shape.size() != wanted.size()) return false;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (wanted[i] >= 0 && wanted[i] != shape[i]) return false;
  }
  return true;
}

Shape without_ones(const Shape& shape) {
  Shape out;
  for (const std::int64_t d : shape) {
    if (d != 1) out.push_back(d);
  }
  return out;
}

// `wanted` with its free dimensions (-1) filled so that it holds `item`'s elements.
std::optional<Shape> reshape_into(const Shape& item, const Shape& wanted) {
  if (agrees(item, wanted)) return item;
  const std::int64_t elements = product(item);
  std::int64_t fixed = 1;
  std::size_t free_dims = 0;
  for (const std::int64_t d : wanted) {
    if (d < 0) {
      ++free_dims;
    } else if (d > 0 && elements % d == 0 && fixed <= elements / d) {
      fixed *= d;
    } else {
      return std::nullopt;
    }
  }
  Shape out = wanted;
  if (free_dims <= 1) {
    if (elements % fixed != 0 || (free_dims == 0 && elements != fixed)) return std::nullopt;
    for (std::int64_t& d : out) d = d < 0 ? elements / fixed : d;
    return out;
  }
  // Several free dimensions: only if dimensions of 1 make all the difference.
  const Shape core = without_ones(item);
  std::size_t next = 0;
  for (std::int64_t& d : out) {
    if (d == 1) continue;
    if (next == core.size() || (d >= 0 && d != core[next])) return std::nullopt;
    d = core[next++];
  }
  if (next != core.size()) return std::nullopt;
  return out;
}

Shape without_axis(const Shape& shape, std::size_t axis) {
  Shape out;
  for (std::size_t d = 0; d < shape.size(); ++d) {
    if (d != axis) out.push_back(shape[d]);
  }
  return out;
}

// As fit_items says where no axis is given.
std::size_t likely_axis(const Shape& item, const Shape& port) {
  if (port[0] <= 1 || std::count_if(port.begin(), port.end(), [](auto d) { return d < 0; }) != 1) {
    return 0;
  }
  const auto free = static_cast<std::size_t>(
      std::find_if(port.begin(), port.end(), [](auto d) { return d < 0; }) - port.begin());
  return agrees(item, without_axis(port, free)) ? free : 0;
}

}  // namespace

Shape ItemFit::input_shape(std::int64_t n) const {
  Shape shape = item;
  if (batch_dim) shape.insert(shape.begin() + static_cast<std::ptrdiff_t>(axis), n);
  return shape;
}

Result<ItemFit> fit_items(const Shape& item, const PortInfo& port,
                          std::optional<std::size_t> axis) {
  ItemFit fit;
  if (port.shape.empty()) {  // the file declares no shape: items go in as they are
    fit.item = item;
    fit.axis = std::min(axis.value_or(0), item.size());
    return fit;
  }
  if (axis && *axis >= port.shape.size()) {
    return Status(ErrorCode::invalid_argument,
                  "input '" + port.name + "' of shape " + shape_to_string(port.shape) +
                      " has no dimension " + std::to_string(*axis),
                  "count the batch dimension from 0");
  }
  fit.axis = axis ? *axis : likely_axis(item, port.shape);
  if (std::optional<Shape> shape = reshape_into(item, without_axis(port.shape, fit.axis))) {
    fit.item = *std::move(shape);
    fit.batch = port.shape[fit.axis] > 0 ? port.shape[fit.axis] : 0;
    return fit;
  }
  const bool all_fixed =
      std::all_of(port.shape.begin(), port.shape.end(), [](std::int64_t d) { return d >= 0; });
  if (all_fixed && product(port.shape) == product(item)) {
    fit.batch = 1;
    fit.batch_dim = false;
    fit.item = port.shape;
    return fit;
  }
  return Status(ErrorCode::shape_mismatch,
                "items of shape " + shape_to_string(item) + " do not fit input '" + port.name +
                    "' of shape " + shape_to_string(port.shape),
                "give data whose items have as many elements as the input takes after its batch "
                "dimension");
}

Result<Tensor> take_items(const Tensor& data, std::int64_t first, std::int64_t count,
                          std::int64_t n, const ItemFit& fit) {
  const std::size_t item_bytes = data.bytes() / static_cast<std::size_t>(data.dim(0));
  const auto* from =
      static_cast<const char*>(data.raw()) + static_cast<std::size_t>(first) * item_bytes;
  PBATCH_ASSIGN_OR_RETURN(Tensor out, Tensor::create(data.dtype(), fit.input_shape(n)));
  auto* to = static_cast<char*>(out.mutable_raw());
  // Before the batch dimension an item has `outer` pieces, which then lie apart.
  std::size_t outer = 1;
  for (std::size_t d = 0; fit.batch_dim && d < fit.axis; ++d) {
    outer *= static_cast<std::size_t>(fit.item[d]);
  }
  if (outer == 0) return out;
  const std::size_t piece = item_bytes / outer;
  for (std::int64_t i = 0; i < n; ++i) {
    const auto source = static_cast<std::size_t>(i < count ? i : count - 1);
    for (std::size_t o = 0; o < outer; ++o) {
      std::memcpy(to + (o * static_cast<std::size_t>(n) + static_cast<std::size_t>(i)) * piece,
                  from + source * item_bytes + o * piece, piece);
    }
  }
  return out;
}

}  // namespace pbatch
