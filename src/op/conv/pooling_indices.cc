#include "op/conv/pooling_indices.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace pbatch {
namespace {

// The elements of an image that the window at one position sees, in row-major order.
struct WindowPlaces {
  std::vector<std::int64_t> places;   // row-major
  std::vector<std::int64_t> numbers;  // as Indices counts them
};

class PlaceFinder {
 public:
  PlaceFinder(const ConvGeometry& g, IndexOrder order)
      : g_(g), counted_(g.spatial_rank()), row_major_(g.spatial_rank()) {
    std::int64_t stride = 1;
    for (std::size_t d = g.spatial_rank(); d-- > 0; stride *= g.in[d]) row_major_[d] = stride;
    stride = 1;
    counted_ = row_major_;
    for (std::size_t d = 0; order == IndexOrder::column_major && d < g.spatial_rank(); ++d) {
      counted_[d] = stride;
      stride *= g.in[d];
    }
  }

  // `position` among the windows of an image.
  WindowPlaces of(std::int64_t position) const {
    WindowPlaces found{{0}, {0}};
    std::vector<std::int64_t> at(g_.spatial_rank());
    for (std::size_t d = g_.spatial_rank(); d-- > 0; position /= g_.out[d]) {
      at[d] = position % g_.out[d];
    }
    for (std::size_t d = 0; d < g_.spatial_rank(); ++d) {
      const std::int64_t start = at[d] * g_.strides[d] - g_.pads_begin[d];
      const Taps taps = taps_inside(start, g_.in[d], g_.kernel[d], g_.dilations[d]);
      WindowPlaces longer;
      for (std::size_t i = 0; i < found.places.size(); ++i) {
        for (std::int64_t t = taps.begin; t < taps.end; ++t) {
          const std::int64_t index = start + t * g_.dilations[d];
          longer.places.push_back(found.places[i] + index * row_major_[d]);
          longer.numbers.push_back(found.numbers[i] + index * counted_[d]);
        }
      }
      found = std::move(longer);
    }
    return found;
  }

 private:
  const ConvGeometry& g_;
  std::vector<std::int64_t> counted_, row_major_;  // from one index of a dimension to the next
};

template <class T>
Status run_max_pool(const ConvGeometry& g, IndexOrder order, const StepCall& call) {
  if (g.batch * g.channels == 0) return Status::ok();
  const PlaceFinder finder(g, order);
  std::int64_t image = 1;
  for (const std::int64_t d : g.in) image *= d;
  const std::int64_t positions = g.positions();
  for (std::int64_t p = 0; p < positions; ++p) {
    const WindowPlaces seen = finder.of(p);
    if (seen.places.empty()) {
      return {ErrorCode::unsupported, "window " + std::to_string(p) + " sees only padding",
              "use smaller pads"};
    }
    for (std::int64_t c = 0; c < g.batch * g.channels; ++c) {
      const T* const x = call.input<T>(0) + c * image;
      std::size_t best = 0;
      for (std::size_t i = 1; i < seen.places.size(); ++i) {
        const T most = x[seen.places[best]], next = x[seen.places[i]];
        if (next > most || (next != next && most == most)) best = i;
      }
      call.output<T>(0)[c * positions + p] = x[seen.places[best]];
      call.output<std::int64_t>(1)[c * positions + p] = c * image + seen.numbers[best];
    }
  }
  return Status::ok();
}

}  // namespace

Result<StepPlan> plan_max_pool_with_indices(const ConvGeometry& geometry, DType type,
                                            IndexOrder order) {
  const Shape shape = geometry.output_shape(geometry.channels);
  return StepPlan::of({TensorType{type, shape}, TensorType{DType::i64, shape}},
                      [geometry, type, order](const StepCall& call) {
                        if (type == DType::u8) {
                          return run_max_pool<std::uint8_t>(geometry, order, call);
                        }
                        if (type == DType::i8) {
                          return run_max_pool<std::int8_t>(geometry, order, call);
                        }
                        return run_max_pool<float>(geometry, order, call);
                      });
}

}  // namespace pbatch
