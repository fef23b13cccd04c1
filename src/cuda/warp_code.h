// Code in terms of a warp (host_warp.h): compiled by nvcc for the device only, by any other
// compiler for the emulated warp.
#pragma once

#if defined(__CUDACC__)
#define PBATCH_WARP __device__ __forceinline__
#define PBATCH_UNROLL _Pragma("unroll")
#else
#define PBATCH_WARP inline
#define PBATCH_UNROLL
#endif
