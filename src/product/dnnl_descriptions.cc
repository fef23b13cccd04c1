#include "product/dnnl_descriptions.h"

#include "product/dnnl_runtime.h"

namespace pbatch {
namespace {

using dnnl::memory;
constexpr auto kInference = dnnl::prop_kind::forward_inference;
constexpr auto kDirect = dnnl::algorithm::convolution_direct;

// oneDNN counts the gaps between taps.
memory::dims gaps(const ConvGeometry& geometry) {
  memory::dims dilates = geometry.dilations;
  for (auto& d : dilates) --d;
  return dilates;
}

}  // namespace

#if DNNL_VERSION_MAJOR >= 3

dnnl::matmul::primitive_desc describe_matmul(const memory::desc& x, const memory::desc& w,
                                             const memory::desc* bias, const memory::desc& y) {
  if (bias == nullptr) return {dnnl_cpu(), x, w, y, dnnl_attributes()};
  return {dnnl_cpu(), x, w, *bias, y, dnnl_attributes()};
}

dnnl::convolution_forward::primitive_desc describe_convolution(const ConvGeometry& g,
                                                               const memory::desc& x,
                                                               const memory::desc& w,
                                                               const memory::desc* bias,
                                                               const memory::desc& y) {
  if (bias == nullptr) {
    return {dnnl_cpu(),   kInference, kDirect,          x, w, y, g.strides, gaps(g),
            g.pads_begin, g.pads_end, dnnl_attributes()};
  }
  return {dnnl_cpu(),   kInference, kDirect,          x, w, *bias, y, g.strides, gaps(g),
          g.pads_begin, g.pads_end, dnnl_attributes()};
}

#else

dnnl::matmul::primitive_desc describe_matmul(const memory::desc& x, const memory::desc& w,
                                             const memory::desc* bias, const memory::desc& y) {
  if (bias == nullptr) return {dnnl::matmul::desc(x, w, y), dnnl_attributes(), dnnl_cpu()};
  return {dnnl::matmul::desc(x, w, *bias, y), dnnl_attributes(), dnnl_cpu()};
}

dnnl::convolution_forward::primitive_desc describe_convolution(const ConvGeometry& g,
                                                               const memory::desc& x,
                                                               const memory::desc& w,
                                                               const memory::desc* bias,
                                                               const memory::desc& y) {
  if (bias == nullptr) {
    return {{kInference, kDirect, x, w, y, g.strides, gaps(g), g.pads_begin, g.pads_end},
            dnnl_attributes(),
            dnnl_cpu()};
  }
  return {{kInference, kDirect, x, w, *bias, y, g.strides, gaps(g), g.pads_begin, g.pads_end},
          dnnl_attributes(),
          dnnl_cpu()};
}

#endif

bool dnnl_has_vnni() {
  switch (dnnl::get_effective_cpu_isa()) {
#if DNNL_VERSION_MAJOR < 3
    case dnnl::cpu_isa::all:
    case dnnl::cpu_isa::avx512_mic:
    case dnnl::cpu_isa::avx512_mic_4ops:
#else
    case dnnl::cpu_isa::isa_default:
#endif
    case dnnl::cpu_isa::sse41:
    case dnnl::cpu_isa::avx:
    case dnnl::cpu_isa::avx2:
    case dnnl::cpu_isa::avx512_core:
      return false;
    default:
      return true;
  }
}

}  // namespace pbatch
