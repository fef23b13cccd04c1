#include "op/conv/pooling.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <string>
#include <utility>

#include "kernel/vector_fns.h"

namespace pbatch {
namespace {

constexpr std::int64_t kElementsWorthAThread = std::int64_t{1} << 14;

// One dimension of the windows; those that the geometry lacks are of one element.
struct PoolAxis {
  std::int64_t in = 1, out = 1, kernel = 1, stride = 1, dilation = 1, pad = 0, pad_end = 0;

  std::int64_t start(std::int64_t position) const { return position * stride - pad; }
  Taps taps(std::int64_t position) const {
    return taps_inside(start(position), in, kernel, dilation);
  }
  // Positions whose element `tap` falls on the input.
  Taps positions_of(std::int64_t tap) const {
    const std::int64_t first = pad - tap * dilation, last = in - 1 + first;
    if (last < 0) return {};
    const std::int64_t begin = first <= 0 ? 0 : (first + stride - 1) / stride;
    return {std::min(begin, out), std::min(last / stride + 1, out)};
  }
};

using PoolAxes = std::array<PoolAxis, 3>;

PoolAxes pool_axes(const ConvGeometry& g) {
  PoolAxes axes;
  const std::size_t missing = axes.size() - g.spatial_rank();
  for (std::size_t d = 0; d < g.spatial_rank(); ++d) {
    axes[missing + d] = {g.in[d],        g.out[d],        g.kernel[d],  g.strides[d],
                         g.dilations[d], g.pads_begin[d], g.pads_end[d]};
  }
  return axes;
}

Status check_windows(const ConvGeometry& g, const PoolAxes& axes) {
  for (std::size_t d = 0; d < g.spatial_rank(); ++d) {
    const PoolAxis& axis = axes[axes.size() - g.spatial_rank() + d];
    for (std::int64_t p = 0; p < axis.out; ++p) {
      const Taps taps = axis.taps(p);
      if (taps.begin != taps.end) continue;
      return {ErrorCode::unsupported,
              "window " + std::to_string(p) + " of dimension " + std::to_string(d + 2) +
                  " sees only padding",
              "use smaller pads"};
    }
  }
  return Status::ok();
}

// Elements that a window counts along one dimension, by its position.
std::vector<std::int64_t> counts_of(const PoolAxis& axis, Pooling pooling) {
  if (pooling == Pooling::sum)
    return std::vector<std::int64_t>(static_cast<std::size_t>(axis.out), 1);
  const bool with_padding = pooling == Pooling::average_with_padding;
  std::vector<std::int64_t> counts;
  for (std::int64_t p = 0; p < axis.out; ++p) {
    const Taps taps = with_padding ? taps_inside(p * axis.stride, axis.in + axis.pad + axis.pad_end,
                                                 axis.kernel, axis.dilation)
                                   : axis.taps(p);
    counts.push_back(taps.end - taps.begin);
  }
  return counts;
}

// How elements join in a result.
template <class T>
struct Maximum {
  static constexpr T kStart = std::numeric_limits<T>::has_infinity
                                  ? -std::numeric_limits<T>::infinity()
                                  : std::numeric_limits<T>::lowest();
  static T join(T a, T x) { return x > a || x != x ? x : a; }
  static void into(const VectorFns& fns, std::int64_t count, const T* x, T* acc) {
    if constexpr (std::is_same_v<T, float>) {
      fns.max_into(count, x, acc);
    } else {
      for (std::int64_t i = 0; i < count; ++i) acc[i] = join(acc[i], x[i]);
    }
  }
};
struct WindowSum {
  static constexpr float kStart = 0;
  static void into(const VectorFns& fns, std::int64_t count, const float* x, float* acc) {
    fns.add_into(count, x, acc);
  }
  static float join(float a, float x) { return a + x; }
};

// y[p] = join(y[p], x[p * stride]): the common strides are constants, so that compilers vectorize.
template <class Join, class T>
void join_strided(const VectorFns& fns, std::int64_t count, const T* x, std::int64_t stride, T* y) {
  if (stride == 1) return Join::into(fns, count, x, y);
  if (stride == 2) {
    for (std::int64_t p = 0; p < count; ++p) y[p] = Join::join(y[p], x[p * 2]);
    return;
  }
  for (std::int64_t p = 0; p < count; ++p) y[p] = Join::join(y[p], x[p * stride]);
}

struct Windows {
  Pooling pooling;
  PoolAxes axes;
  std::int64_t images, channels;  // batch; batch * channels images of one channel if plain
  const VectorFns* fns;
  std::array<std::vector<std::int64_t>, 3> counts;  // of sums

  std::int64_t in_positions() const { return axes[0].in * axes[1].in * axes[2].in; }
  std::int64_t rows() const { return axes[0].out * axes[1].out; }

  // What a sum over the window at these positions is divided by.
  float count(std::int64_t p0, std::int64_t p1, std::int64_t p2) const {
    const auto at = [&](std::size_t d, std::int64_t p) {
      return counts[d][static_cast<std::size_t>(p)];
    };
    return static_cast<float>(at(0, p0) * at(1, p1) * at(2, p2));
  }

  // Calls fn(first element of a row of the input) for the rows that the windows at p0, p1 see.
  template <class Fn>
  void for_each_row(std::int64_t p0, std::int64_t p1, const Fn& fn) const {
    const Taps t0 = axes[0].taps(p0), t1 = axes[1].taps(p1);
    for (std::int64_t i = t0.begin; i < t0.end; ++i) {
      for (std::int64_t j = t1.begin; j < t1.end; ++j) {
        fn(((axes[0].start(p0) + i * axes[0].dilation) * axes[1].in + axes[1].start(p1) +
            j * axes[1].dilation) *
           axes[2].in);
      }
    }
  }

  // Plain: one row of results of one channel's image.
  template <class Join, class T>
  void plain_row(std::int64_t p0, std::int64_t p1, const T* image, T* y) const {
    const PoolAxis& a = axes[2];
    std::fill_n(y, a.out, Join::kStart);
    for_each_row(p0, p1, [&](std::int64_t row) {
      for (std::int64_t tap = 0; tap < a.kernel; ++tap) {
        const Taps at = a.positions_of(tap);
        if (at.begin >= at.end) continue;
        join_strided<Join>(*fns, at.end - at.begin,
                           image + row + a.start(at.begin) + tap * a.dilation, a.stride,
                           y + at.begin);
      }
    });
    if constexpr (std::is_same_v<Join, WindowSum>) {
      for (std::int64_t p = 0; p < a.out; ++p) y[p] /= count(p0, p1, p);
    }
  }

  // Channels last: all channels of one result.
  template <class Join, class T>
  void last_position(std::int64_t p0, std::int64_t p1, std::int64_t p2, const T* image,
                     T* y) const {
    const PoolAxis& a = axes[2];
    std::fill_n(y, channels, Join::kStart);
    const Taps taps = a.taps(p2);
    for_each_row(p0, p1, [&](std::int64_t row) {
      for (std::int64_t tap = taps.begin; tap < taps.end; ++tap) {
        Join::into(*fns, channels, image + (row + a.start(p2) + tap * a.dilation) * channels, y);
      }
    });
    if constexpr (std::is_same_v<Join, WindowSum>) {
      const float divisor = count(p0, p1, p2);
      for (std::int64_t c = 0; c < channels; ++c) y[c] /= divisor;
    }
  }

  template <class Join, class T>
  void run(Layout layout, const StepCall& call) const {
    const bool last = layout == Layout::channels_last;
    const std::int64_t row_elements = axes[2].out * (last ? channels : 1);
    const std::int64_t kernel = axes[0].kernel * axes[1].kernel * axes[2].kernel;
    const std::int64_t grain =
        1 + kElementsWorthAThread / std::max<std::int64_t>(1, row_elements * kernel);
    call.pool.parallel_for(images * rows(), grain, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t r = begin; r < end; ++r) {
        const T* const image =
            call.input<T>(0) + r / rows() * in_positions() * (last ? channels : 1);
        T* const y = call.output<T>(0) + r * row_elements;
        const std::int64_t p0 = r % rows() / axes[1].out, p1 = r % axes[1].out;
        if (!last) plain_row<Join>(p0, p1, image, y);
        for (std::int64_t p = 0; last && p < axes[2].out; ++p) {
          last_position<Join>(p0, p1, p, image, y + p * channels);
        }
      }
    });
  }
};

// Every window is the whole input: of large ones the sums are taken in double.
struct WholeImage {
  bool max;
  double divisor;  // of sums
  std::int64_t batch, channels, positions;
  const VectorFns* fns;

  static constexpr std::int64_t kLanes = 64, kTogether = 32;

  float of_row(const float* x) const {
    if (!max) {
      return static_cast<float>(fns->sum(positions, x) / divisor);
    }
    float lanes[kLanes];
    std::fill_n(lanes, kLanes, Maximum<float>::kStart);
    for (std::int64_t i = 0; i < positions; i += kLanes) {
      fns->max_into(std::min(kLanes, positions - i), x + i, lanes);
    }
    float most = lanes[0];
    for (std::int64_t l = 1; l < kLanes; ++l) most = Maximum<float>::join(most, lanes[l]);
    return most;
  }

  // Channels c .. c + count - 1, count <= kLanes, of an image with the channels last.
  void of_channels(const float* x, std::int64_t count, float* y) const {
    float some[kLanes];
    double all[kLanes] = {};
    std::fill_n(some, kLanes, max ? Maximum<float>::kStart : 0.0F);
    for (std::int64_t i = 0; i < positions; ++i) {
      if (max) {
        fns->max_into(count, x + i * channels, some);
        continue;
      }
      fns->add_into(count, x + i * channels, some);
      if ((i + 1) % kTogether != 0 && i + 1 != positions) continue;
      for (std::int64_t c = 0; c < count; ++c) all[c] += static_cast<double>(some[c]);
      std::fill_n(some, count, 0.0F);
    }
    for (std::int64_t c = 0; c < count; ++c) {
      y[c] = max ? some[c] : static_cast<float>(all[c] / divisor);
    }
  }

  void run(Layout layout, const StepCall& call) const {
    const float* const x = call.input<float>(0);
    float* const y = call.output<float>(0);
    const bool last = layout == Layout::channels_last;
    const std::int64_t parts = last ? (channels + kLanes - 1) / kLanes : channels;
    const std::int64_t grain = 1 + kElementsWorthAThread / (positions * (last ? kLanes : 1));
    call.pool.parallel_for(batch * parts, grain, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t p = begin; p < end; ++p) {
        if (!last) {
          y[p] = of_row(x + p * positions);
          continue;
        }
        const std::int64_t image = p / parts, c = p % parts * kLanes;
        of_channels(x + image * positions * channels + c, std::min(kLanes, channels - c),
                    y + image * channels + c);
      }
    });
  }
};

bool covers_whole_image(const ConvGeometry& g) {
  for (std::size_t d = 0; d < g.spatial_rank(); ++d) {
    if (g.out[d] != 1 || g.kernel[d] != g.in[d] || g.dilations[d] != 1 || g.pads_begin[d] != 0 ||
        g.pads_end[d] != 0) {
      return false;
    }
  }
  return true;
}

}  // namespace

Result<StepPlan> plan_pooling(Pooling pooling, ConvGeometry g, DType type, Layout layout) {
  TensorType y{type, g.output_shape(g.channels)};
  if (g.batch * g.channels * g.positions() == 0) {
    return StepPlan::of(std::move(y), [](const StepCall&) { return Status::ok(); })
        .in_layout(layout);
  }
  const VectorFns* const fns = &vector_fns();
  if (type == DType::f32 && covers_whole_image(g)) {
    std::int64_t positions = 1;
    for (const std::int64_t d : g.in) positions *= d;
    const double divisor = pooling == Pooling::sum ? 1.0 : static_cast<double>(positions);
    const WholeImage whole{pooling == Pooling::max, divisor, g.batch, g.channels, positions, fns};
    return StepPlan::of(std::move(y),
                        [whole, layout](const StepCall& call) {
                          whole.run(layout, call);
                          return Status::ok();
                        })
        .in_layout(layout);
  }
  if (g.spatial_rank() > std::tuple_size_v<PoolAxes>) {
    return Status(ErrorCode::unsupported,
                  "pooling over " + std::to_string(g.spatial_rank()) + " dimensions",
                  "use at most 3 spatial dimensions");
  }
  const PoolAxes axes = pool_axes(g);
  PBATCH_RETURN_IF_ERROR(check_windows(g, axes));
  const std::int64_t images = layout == Layout::plain ? g.batch * g.channels : g.batch;
  Windows windows{pooling, axes, images, g.channels, fns, {}};
  for (std::size_t d = 0; d < axes.size() && pooling != Pooling::max; ++d) {
    windows.counts[d] = counts_of(axes[d], pooling);
  }
  return StepPlan::of(std::move(y),
                      [windows = std::move(windows), type, layout](const StepCall& call) {
                        if (windows.pooling != Pooling::max) {
                          windows.run<WindowSum, float>(layout, call);
                        } else if (type == DType::f32) {
                          windows.run<Maximum<float>, float>(layout, call);
                        } else if (type == DType::u8) {
                          windows.run<Maximum<std::uint8_t>, std::uint8_t>(layout, call);
                        } else {
                          windows.run<Maximum<std::int8_t>, std::int8_t>(layout, call);
                        }
                        return Status::ok();
                      })
      .in_layout(layout);
}

}  // namespace pbatch
