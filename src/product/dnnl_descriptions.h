// Descriptions of oneDNN primitives: all in which the interfaces of oneDNN 2 and 3 differ.
#pragma once

#include <oneapi/dnnl/dnnl.hpp>

#include "product/conv_geometry.h"

namespace pbatch {

/// What the primitives' factories take, with dnnl_attributes(); a null bias is none. All throw
/// dnnl::error.
dnnl::matmul::primitive_desc describe_matmul(const dnnl::memory::desc& x,
                                             const dnnl::memory::desc& w,
                                             const dnnl::memory::desc* bias,
                                             const dnnl::memory::desc& y);

/// Kernel, strides, dilations and pads of `geometry`; shapes and formats from the descriptions.
dnnl::convolution_forward::primitive_desc describe_convolution(const ConvGeometry& geometry,
                                                               const dnnl::memory::desc& x,
                                                               const dnnl::memory::desc& w,
                                                               const dnnl::memory::desc* bias,
                                                               const dnnl::memory::desc& y);

/// True if oneDNN has VNNI or better at hand and may use it: sums of products of bytes that do not
/// saturate.
bool dnnl_has_vnni();

}  // namespace pbatch
