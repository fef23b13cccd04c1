// What lets one source run on the device and, emulated, on the host.
#pragma once

#if defined(__CUDACC__)
/// Runs on both.
#define PBATCH_HD __host__ __device__
/// Written in terms of a warp (host_warp.h): compiled by nvcc for the device only, by any other
/// compiler for the emulated warp.
#define PBATCH_WARP __device__ __forceinline__
#define PBATCH_UNROLL _Pragma("unroll")
#else
#define PBATCH_HD
#define PBATCH_WARP inline
#define PBATCH_UNROLL
#endif
