#include "execute/dnnl_pooling.h"

#include <mutex>
#include <string>

#include "execute/dnnl_descriptions.h"
#include "execute/dnnl_runtime.h"
#include "execute/recent.h"

namespace pbatch {
namespace {

using dnnl::memory;
using Dims = memory::dims;
constexpr std::size_t kKeptShapes = 8;

struct Key {
  ConvGeometry geometry;
  DType type;
  int threads;
  friend bool operator==(const Key&, const Key&) = default;
};

struct Primitive {
  DnnlPooling::primitive_desc desc;
  DnnlPooling primitive;
};

dnnl::algorithm algorithm_of(Pooling pooling) {
  switch (pooling) {
    case Pooling::max:
      return dnnl::algorithm::pooling_max;
    case Pooling::average:
      return dnnl::algorithm::pooling_avg_exclude_padding;
    default:
      return dnnl::algorithm::pooling_avg_include_padding;
  }
}

memory::data_type type_of(DType type) {
  if (type == DType::u8) return memory::data_type::u8;
  if (type == DType::i8) return memory::data_type::s8;
  return memory::data_type::f32;
}

memory::desc row_major(const Dims& dims, DType type) {
  constexpr memory::format_tag tags[] = {memory::format_tag::abc, memory::format_tag::abcd,
                                         memory::format_tag::abcde};
  return {dims, type_of(type), tags[dims.size() - 3]};
}

std::shared_ptr<const Primitive> make_primitive(Pooling pooling, const Key& key) {
  const ConvGeometry& g = key.geometry;
  Dims x{g.batch, g.channels};
  x.insert(x.end(), g.in.begin(), g.in.end());
  auto made = std::make_shared<Primitive>();
  made->desc = describe_pooling(algorithm_of(pooling), g, row_major(x, key.type),
                                row_major(g.output_shape(g.channels), key.type));
  made->primitive = DnnlPooling(made->desc);
  return made;
}

Status check_windows(const ConvGeometry& g) {
  for (std::size_t d = 0; d < g.spatial_rank(); ++d) {
    for (std::int64_t p = 0; p < g.out[d]; ++p) {
      const Taps taps =
          taps_inside(p * g.strides[d] - g.pads_begin[d], g.in[d], g.kernel[d], g.dilations[d]);
      if (taps.begin != taps.end) continue;
      return {ErrorCode::unsupported,
              "window " + std::to_string(p) + " of dimension " + std::to_string(d + 2) +
                  " sees only padding",
              "use smaller pads"};
    }
  }
  return Status::ok();
}

}  // namespace

struct DnnlPoolings::Impl {
  explicit Impl(Pooling p) : pooling(p) {}

  const Pooling pooling;
  std::mutex mutex;
  Recent<Key, Primitive> recent{kKeptShapes};

  std::shared_ptr<const Primitive> get(const Key& key) {
    const std::lock_guard lock(mutex);
    if (auto found = recent.find(key)) return found;
    auto made = make_primitive(pooling, key);
    recent.add(key, made);
    return made;
  }
};

DnnlPoolings::DnnlPoolings(Pooling pooling) : impl_(std::make_unique<Impl>(pooling)) {}

DnnlPoolings::~DnnlPoolings() = default;

Status DnnlPoolings::run(const ConvGeometry& geometry, DType type, const void* x, void* y,
                         int threads, BufferPool& buffers) {
  if (geometry.spatial_rank() > 3) {
    return {ErrorCode::unsupported,
            "pooling over " + std::to_string(geometry.spatial_rank()) + " dimensions",
            "use at most 3 spatial dimensions"};
  }
  PBATCH_RETURN_IF_ERROR(check_windows(geometry));
  const auto name = [&] { return "pooling with a kernel of " + shape_to_string(geometry.kernel); };
  return dnnl_guarded(name, [&]() -> Status {
    const OmpThreads guard(threads);
    const auto pooling = impl_->get({geometry, type, threads});
    return dnnl_execute(pooling->primitive, pooling->desc.scratchpad_desc(),
                        {{DNNL_ARG_SRC, dnnl_view(pooling->desc.src_desc(), x)},
                         {DNNL_ARG_DST, dnnl_view(pooling->desc.dst_desc(), y)}},
                        buffers);
  });
}

}  // namespace pbatch
