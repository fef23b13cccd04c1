// What lets one source be compiled for a CPU and for a GPU.
#pragma once

#if defined(__CUDACC__)
#define PBATCH_HD __host__ __device__
#else
#define PBATCH_HD
#endif
