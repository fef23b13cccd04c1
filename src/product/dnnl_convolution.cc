#include "product/dnnl_convolution.h"

#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/recent.h"
#include "product/dnnl_descriptions.h"
#include "product/dnnl_runtime.h"

namespace pbatch {
namespace {

using dnnl::memory;
using Dims = memory::dims;
constexpr std::size_t kKeptShapes = 8;

struct ConvolutionKey {
  ConvolutionShape shape;
  bool bias;
  int threads;  // oneDNN splits the work when it makes a primitive
  friend bool operator==(const ConvolutionKey&, const ConvolutionKey&) = default;
};

// A tensor in the format that it has here, and in the one that the primitive wants.
struct Port {
  memory::desc plain, wanted;
  std::optional<dnnl::reorder> reorder;  // none if the two are the same
  memory::desc reorder_scratch;
};

struct Convolution {
  dnnl::convolution_forward::primitive_desc desc;
  dnnl::convolution_forward primitive;
  Port x, w, y;
  std::shared_ptr<const memory> weights;  // in the format wanted; null if they change
};

memory::desc with_format(const Dims& dims, memory::format_tag tag) {
  return {dims, memory::data_type::f32, tag};
}

memory::desc channels_last(const Dims& dims) {
  constexpr memory::format_tag tags[] = {memory::format_tag::nwc, memory::format_tag::nhwc,
                                         memory::format_tag::ndhwc};
  return with_format(dims, tags[dims.size() - 3]);
}

memory::desc row_major(const Dims& dims) {
  constexpr memory::format_tag tags[] = {memory::format_tag::a,     memory::format_tag::ab,
                                         memory::format_tag::abc,   memory::format_tag::abcd,
                                         memory::format_tag::abcde, memory::format_tag::abcdef};
  return with_format(dims, tags[dims.size() - 1]);
}

Dims weight_dims(const ConvolutionShape& s) {
  const std::int64_t inputs = s.geometry.channels / s.groups;
  Dims dims =
      s.groups == 1 ? Dims{s.outputs, inputs} : Dims{s.groups, s.outputs / s.groups, inputs};
  dims.insert(dims.end(), s.geometry.kernel.begin(), s.geometry.kernel.end());
  return dims;
}

memory::desc in_layout(const Dims& dims, Layout layout) {
  return layout == Layout::plain ? row_major(dims) : channels_last(dims);
}

// On tensors as they lie, if oneDNN generates code for that; else in formats of its choice.
dnnl::convolution_forward::primitive_desc convolution_of_key(const ConvolutionKey& key,
                                                             const Dims& x, const Dims& w,
                                                             const Dims& y) {
  constexpr auto any = memory::format_tag::any;
  const memory::desc bias = row_major({key.shape.outputs});
  const auto on = [&](const memory::desc& x_desc, const memory::desc& y_desc) {
    return describe_convolution(key.shape.geometry, x_desc, with_format(w, any),
                                key.bias ? &bias : nullptr, y_desc);
  };
  if (key.shape.y_layout == Layout::channels_last) {
    try {
      const auto desc = on(in_layout(x, key.shape.x_layout), in_layout(y, key.shape.y_layout));
      if (std::string_view(desc.impl_info_str()).starts_with("jit") ||
          std::string_view(desc.impl_info_str()).starts_with("brg")) {
        return desc;
      }
    } catch (const dnnl::error&) {  // there is none for such tensors
    }
  }
  return on(with_format(x, any), with_format(y, any));
}

Port make_port(const memory::desc& plain, const memory::desc& wanted, bool output) {
  Port port{plain, wanted, std::nullopt, {}};
  if (port.plain == wanted) return port;
  const memory::desc& from = output ? wanted : port.plain;
  const memory::desc& to = output ? port.plain : wanted;
  const dnnl::reorder::primitive_desc desc(dnnl_cpu(), from, dnnl_cpu(), to, dnnl_attributes());
  port.reorder = dnnl::reorder(desc);
  port.reorder_scratch = desc.scratchpad_desc();
  return port;
}

// Memory for a tensor in the wanted format, if that is not its own.
struct Staged {
  std::shared_ptr<void> buffer;
  memory wanted;
};

Result<Staged> stage(const Port& port, const float* data, BufferPool& buffers) {
  if (!port.reorder) return Staged{nullptr, dnnl_view(port.wanted, data)};
  Staged staged;
  staged.buffer = buffers.take(port.wanted.get_size());
  if (staged.buffer == nullptr) {
    return Status(ErrorCode::out_of_memory, "no memory for a convolution", "use a smaller batch");
  }
  staged.wanted = dnnl_view(port.wanted, staged.buffer.get());
  return staged;
}

Status copy(const Port& port, const memory& from, const memory& to, BufferPool& buffers) {
  return dnnl_execute(*port.reorder, port.reorder_scratch,
                      {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}}, buffers);
}

// The input in the format wanted.
Result<Staged> stage_input(const Port& port, const float* data, BufferPool& buffers) {
  PBATCH_ASSIGN_OR_RETURN(Staged staged, stage(port, data, buffers));
  if (port.reorder) {
    PBATCH_RETURN_IF_ERROR(copy(port, dnnl_view(port.plain, data), staged.wanted, buffers));
  }
  return staged;
}

}  // namespace

struct DnnlConvolutions::Impl {
  explicit Impl(bool constant) : constant_weights(constant) {}

  const bool constant_weights;
  std::mutex mutex;
  Recent<ConvolutionKey, Convolution> recent{kKeptShapes};

  std::shared_ptr<const memory> weights_as(const Port& port, const float* w) const {
    std::shared_ptr<const memory> found;
    recent.any_of([&](const ConvolutionKey&, const Convolution& other) {
      if (other.weights->get_desc() == port.wanted) found = other.weights;
      return found != nullptr;
    });
    if (found != nullptr) return found;
    const memory original = dnnl_view(port.plain, w);
    return std::make_shared<const memory>(port.reorder ? dnnl_reordered(original, port.wanted)
                                                       : original);
  }

  std::shared_ptr<const Convolution> get(const ConvolutionKey& key, const float* w) {
    const std::lock_guard lock(mutex);
    if (auto found = recent.find(key)) return found;
    const Shape& y = key.shape.geometry.output_shape(key.shape.outputs);
    Dims x{key.shape.geometry.batch, key.shape.geometry.channels};
    x.insert(x.end(), key.shape.geometry.in.begin(), key.shape.geometry.in.end());
    auto made = std::make_shared<Convolution>();
    made->desc = convolution_of_key(key, x, weight_dims(key.shape), y);
    made->primitive = dnnl::convolution_forward(made->desc);
    made->x = make_port(in_layout(x, key.shape.x_layout), made->desc.src_desc(), false);
    made->w = make_port(row_major(weight_dims(key.shape)), made->desc.weights_desc(), false);
    made->y = make_port(in_layout(y, key.shape.y_layout), made->desc.dst_desc(), true);
    if (constant_weights) made->weights = weights_as(made->w, w);
    recent.add(key, made);
    return made;
  }
};

DnnlConvolutions::DnnlConvolutions(bool constant_weights)
    : impl_(std::make_unique<Impl>(constant_weights)) {}

DnnlConvolutions::~DnnlConvolutions() = default;

Status DnnlConvolutions::run(const ConvolutionShape& shape, const ConvolutionCall& call,
                             int threads, BufferPool& buffers) {
  const auto name = [&] {
    return "a convolution of " + std::to_string(shape.geometry.channels) + " to " +
           std::to_string(shape.outputs) + " channels with a kernel of " +
           shape_to_string(shape.geometry.kernel);
  };
  return dnnl_guarded(name, [&]() -> Status {
    const OmpThreads guard(threads);
    const auto convolution = impl_->get({shape, call.bias != nullptr, threads}, call.w);
    PBATCH_ASSIGN_OR_RETURN(const Staged x, stage_input(convolution->x, call.x, buffers));
    PBATCH_ASSIGN_OR_RETURN(const Staged y, stage(convolution->y, call.y, buffers));
    DnnlArgs args{{DNNL_ARG_SRC, x.wanted}, {DNNL_ARG_DST, y.wanted}};
    Staged w;
    if (convolution->weights != nullptr) {
      args.emplace(DNNL_ARG_WEIGHTS, *convolution->weights);
    } else {
      PBATCH_ASSIGN_OR_RETURN(w, stage_input(convolution->w, call.w, buffers));
      args.emplace(DNNL_ARG_WEIGHTS, w.wanted);
    }
    if (call.bias != nullptr) {
      args.emplace(DNNL_ARG_BIAS, dnnl_view(convolution->desc.bias_desc(), call.bias));
    }
    PBATCH_RETURN_IF_ERROR(dnnl_execute(convolution->primitive, convolution->desc.scratchpad_desc(),
                                        std::move(args), buffers));
    if (!convolution->y.reorder) return Status::ok();
    return copy(convolution->y, y.wanted, dnnl_view(convolution->y.plain, call.y), buffers);
  });
}

}  // namespace pbatch
