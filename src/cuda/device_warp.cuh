// The warp of host_warp.h on the device: a register of a lane is a variable.
#pragma once

#include <cuda_runtime.h>
#include <stdint.h>

#include "cuda/warp_code.h"

namespace pbatch::cuda {

#if defined(__CUDA_ARCH__)
#define PBATCH_SM __CUDA_ARCH__
#else
#define PBATCH_SM 0  // the host's pass, which only reads declarations
#endif

struct DeviceWarp {
  using U32 = uint32_t;
  using I32 = int32_t;
  using F32 = float;
  using Bool = bool;

  static __device__ __forceinline__ U32 lane() { return threadIdx.x % 32; }
  template <class T>
  static __device__ __forceinline__ T select(bool which, T yes, T no) {
    return which ? yes : no;
  }
  template <class T>
  static __device__ __forceinline__ T shuffle_xor(T x, int mask) {
    return __shfl_xor_sync(0xffffffffu, x, mask);
  }
  static __device__ __forceinline__ uint32_t ballot(bool x) {
    return __ballot_sync(0xffffffffu, x);
  }

  static __device__ __forceinline__ I32 as_signed(U32 x) { return static_cast<I32>(x); }
  static __device__ __forceinline__ U32 as_unsigned(I32 x) { return static_cast<U32>(x); }
  static __device__ __forceinline__ F32 to_float(I32 x) { return __int2float_rn(x); }
  static __device__ __forceinline__ I32 to_int(F32 x) { return __float2int_rn(x); }
  static __device__ __forceinline__ U32 bits_of(F32 x) { return __float_as_uint(x); }
  static __device__ __forceinline__ F32 float_of(U32 x) { return __uint_as_float(x); }
  static __device__ __forceinline__ F32 exp(F32 x) { return expf(x); }
  static __device__ __forceinline__ F32 log(F32 x) { return logf(x); }
  static __device__ __forceinline__ float uniform_float_of(uint32_t bits) {
    return __uint_as_float(bits);
  }

  template <class T>
  static __device__ __forceinline__ T load(const T* from, U32 index, bool which = true) {
    return which ? from[index] : T{};
  }
  template <class T, int n>
  static __device__ __forceinline__ void load_words(const T* from, U32 index, T (&out)[n]) {
    static_assert(sizeof(T) == 4 && (n == 2 || n == 4));
    if constexpr (n == 4) {
      const uint4 four = *reinterpret_cast<const uint4*>(from + index);
      put(four.x, out[0]);
      put(four.y, out[1]);
      put(four.z, out[2]);
      put(four.w, out[3]);
    } else {
      const uint2 two = *reinterpret_cast<const uint2*>(from + index);
      put(two.x, out[0]);
      put(two.y, out[1]);
    }
  }
  template <class T>
  static __device__ __forceinline__ void store(T* to, U32 index, T value, bool which = true) {
    if (which) to[index] = value;
  }
  static __device__ __forceinline__ void store_byte(uint8_t* to, U32 index, U32 value) {
    to[index] = static_cast<uint8_t>(value);
  }
  template <int n>
  static __device__ __forceinline__ void store_words(uint32_t* to, U32 index,
                                                     const uint32_t (&values)[n]) {
    static_assert(n == 2 || n == 4);
    if constexpr (n == 4) {
      *reinterpret_cast<uint4*>(to + index) =
          make_uint4(values[0], values[1], values[2], values[3]);
    } else {
      *reinterpret_cast<uint2*>(to + index) = make_uint2(values[0], values[1]);
    }
  }
  template <int n>
  static __device__ __forceinline__ U32 load_bytes(const uint8_t* from, U32 index) {
    static_assert(n == 1 || n == 2 || n == 4);
    if constexpr (n == 4) return *reinterpret_cast<const uint32_t*>(from + index);
    if constexpr (n == 2) return *reinterpret_cast<const uint16_t*>(from + index);
    return from[index];
  }

  /// Returns when what was queued before is done and its results are there (launch_kernel.cuh).
  static __device__ __forceinline__ void wait_for_earlier_work() {
#if PBATCH_SM >= 900
    asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
  }
  /// What is queued next may begin, as far as it does not wait.
  static __device__ __forceinline__ void let_later_work_begin() {
#if PBATCH_SM >= 900
    asm volatile("griddepcontrol.launch_dependents;");
#endif
  }

  static __device__ __forceinline__ void mma_and(U32 (&c)[4], U32 a0, U32 a1, U32 b) {
#if PBATCH_SM >= 800
    asm volatile(
        "mma.sync.aligned.m16n8k128.row.col.s32.b1.b1.s32.and.popc "
        "{%0, %1, %2, %3}, {%4, %5}, {%6}, {%0, %1, %2, %3};"
        : "+r"(c[0]), "+r"(c[1]), "+r"(c[2]), "+r"(c[3])
        : "r"(a0), "r"(a1), "r"(b));
#endif
  }
  static __device__ __forceinline__ void mma_xor(U32 (&c)[4], U32 a0, U32 a1, U32 b) {
#if PBATCH_SM >= 750
    asm volatile(
        "mma.sync.aligned.m8n8k128.row.col.s32.b1.b1.s32.xor.popc "
        "{%0, %1}, {%2}, {%3}, {%0, %1};"
        : "+r"(c[0]), "+r"(c[1])
        : "r"(a0), "r"(b));
    asm volatile(
        "mma.sync.aligned.m8n8k128.row.col.s32.b1.b1.s32.xor.popc "
        "{%0, %1}, {%2}, {%3}, {%0, %1};"
        : "+r"(c[2]), "+r"(c[3])
        : "r"(a1), "r"(b));
#endif
  }
  static __device__ __forceinline__ void mma_bytes(U32 (&c)[4], const U32 (&a)[4],
                                                   const U32 (&b)[2]) {
#if PBATCH_SM >= 800
    asm volatile(
        "mma.sync.aligned.m16n8k32.row.col.s32.u8.s8.s32 "
        "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+r"(c[0]), "+r"(c[1]), "+r"(c[2]), "+r"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#elif PBATCH_SM >= 750
    PBATCH_UNROLL
    for (int i = 0; i < 2; ++i) {
      PBATCH_UNROLL
      for (int h = 0; h < 2; ++h) {
        asm volatile(
            "mma.sync.aligned.m8n8k16.row.col.s32.u8.s8.s32 {%0, %1}, {%2}, {%3}, {%0, %1};"
            : "+r"(c[2 * h]), "+r"(c[2 * h + 1])
            : "r"(a[2 * i + h]), "r"(b[i]));
      }
    }
#endif
  }

  /// In shared memory: kSlots * 512 bytes of this warp, from `memory` on, aligned to 16.
  template <int kSlots>
  class Ring {
   public:
    __device__ __forceinline__ explicit Ring(uint4* memory) : mine_(memory + lane()) {}
    __device__ __forceinline__ void copy(int slot, const uint32_t* from) {
      const uint4* const source = reinterpret_cast<const uint4*>(from) + lane();
#if PBATCH_SM >= 800
      const uint32_t to = static_cast<uint32_t>(__cvta_generic_to_shared(mine_ + slot * 32));
      asm volatile("cp.async.cg.shared.global.L2::128B [%0], [%1], 16;" ::"r"(to), "l"(source)
                   : "memory");
#else
      mine_[slot * 32] = *source;
#endif
    }
    __device__ __forceinline__ void commit() {
#if PBATCH_SM >= 800
      asm volatile("cp.async.commit_group;" ::: "memory");
#endif
    }
    template <int n>
    __device__ __forceinline__ void wait() {
#if PBATCH_SM >= 800
      asm volatile("cp.async.wait_group %0;" ::"n"(n) : "memory");
#endif
    }
    __device__ __forceinline__ void read(int slot, U32 (&words)[4]) const {
      const uint4 four = mine_[slot * 32];
      words[0] = four.x;
      words[1] = four.y;
      words[2] = four.z;
      words[3] = four.w;
    }

   private:
    uint4* mine_;
  };

 private:
  static __device__ __forceinline__ void put(uint32_t word, uint32_t& out) { out = word; }
  static __device__ __forceinline__ void put(uint32_t word, float& out) {
    out = __uint_as_float(word);
  }
};

}  // namespace pbatch::cuda
