// A warp as the kernels see it, emulated on the host: a register of every lane is a Lanes<T>. The
// device's (device_warp.cuh) has the same members, where a register is just a T. Code written with
// either has uniform control flow: what differs between lanes is selected.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <deque>
#include <vector>

#include "cuda/mma_emulation.h"

namespace pbatch::cuda {

struct HostWarp {
  using U32 = Lanes<std::uint32_t>;
  using I32 = Lanes<std::int32_t>;
  using F32 = Lanes<float>;
  using Bool = Lanes<bool>;
  template <class T>
  using Of = Lanes<T>;

  static U32 lane() {
    return U32::of([](int i) { return static_cast<std::uint32_t>(i); });
  }
  template <class T>
  static Lanes<T> select(const Bool& which, const Lanes<T>& yes, const Lanes<T>& no) {
    return Lanes<T>::of([&](int i) { return which.v[i] ? yes.v[i] : no.v[i]; });
  }
  template <class T>
  static Lanes<T> shuffle_xor(const Lanes<T>& x, int mask) {
    return Lanes<T>::of([&](int i) { return x.v[i ^ mask]; });
  }
  /// Bit i: that of lane i; the same word for all lanes.
  static std::uint32_t ballot(const Bool& x) {
    std::uint32_t bits = 0;
    for (int i = 0; i < 32; ++i) bits |= static_cast<std::uint32_t>(x.v[i]) << i;
    return bits;
  }

  static I32 as_signed(const U32& x) { return cast<std::int32_t>(x); }
  static U32 as_unsigned(const I32& x) { return cast<std::uint32_t>(x); }
  /// To the nearest float, ties to even.
  static F32 to_float(const I32& x) { return cast<float>(x); }
  /// Of a float that is an integer within range.
  static I32 to_int(const F32& x) {
    return I32::of([&](int i) { return to_int(x.v[i]); });
  }
  static U32 bits_of(const F32& x) { return recast<std::uint32_t>(x); }
  static F32 float_of(const U32& x) { return recast<float>(x); }

  static F32 exp(const F32& x) {
    return F32::of([&](int i) { return std::exp(x.v[i]); });
  }
  static F32 log(const F32& x) {
    return F32::of([&](int i) { return std::log(x.v[i]); });
  }

  /// Of one value for all lanes.
  static float uniform_float_of(std::uint32_t bits) { return std::bit_cast<float>(bits); }

  /// from[index], where `which`; 0 elsewhere, and nothing is read there.
  template <class T>
  static Lanes<T> load(const T* from, const U32& index, const Bool& which = Bool(true)) {
    return Lanes<T>::of([&](int i) { return which.v[i] ? from[index.v[i]] : T{}; });
  }
  /// from[index], from[index + 1], ...: `index` a multiple of n, `from` aligned to n words.
  template <class T, int n>
  static void load_words(const T* from, const U32& index, Lanes<T> (&out)[n]) {
    for (int k = 0; k < n; ++k) out[k] = load(from, index + U32(static_cast<std::uint32_t>(k)));
  }
  template <class T>
  static void store(T* to, const U32& index, const Lanes<T>& value,
                    const Bool& which = Bool(true)) {
    for (int i = 0; i < 32; ++i) {
      if (which.v[i]) to[index.v[i]] = value.v[i];
    }
  }
  /// The low byte.
  static void store_byte(std::uint8_t* to, const U32& index, const U32& value) {
    store(to, index, cast<std::uint8_t>(value));
  }
  /// As load_words.
  template <class T, int n>
  static void store_words(T* to, const U32& index, const Lanes<T> (&values)[n]) {
    for (int k = 0; k < n; ++k) store(to, index + U32(static_cast<std::uint32_t>(k)), values[k]);
  }
  /// n bytes, 1 to 4, of which the first lies at from[index], the first one lowest.
  template <int n>
  static U32 load_bytes(const std::uint8_t* from, const U32& index) {
    U32 out(0);
    for (int k = 0; k < n; ++k) {
      out = out + (cast<std::uint32_t>(load(from, index + U32(static_cast<std::uint32_t>(k))))
                   << U32(static_cast<std::uint32_t>(8 * k)));
    }
    return out;
  }

  static void wait_for_earlier_work() {}

  static void mma_and(U32 (&c)[4], const U32& a0, const U32& a1, const U32& b) {
    emulate_mma_and(c, a0, a1, b);
  }
  static void mma_xor(U32 (&c)[4], const U32& a0, const U32& a1, const U32& b) {
    emulate_mma_xor(c, a0, a1, b);
  }
  static void mma_bytes(U32 (&c)[4], const U32 (&a)[4], const U32 (&b)[2]) {
    emulate_mma_bytes(c, a, b);
  }

  /// Stages that copies of 16 bytes a lane arrive in, later: wait<n>() returns when all but the
  /// last n committed groups are there. A lane reads only what it has copied. Here a copy is made
  /// no sooner than that, and what has not arrived holds a pattern.
  template <int kSlots>
  class Ring {
   public:
    /// Begins to copy 4 words of each lane, from[4 * lane ..].
    void copy(int slot, const std::uint32_t* from) {
      for (U32& word : slots_[slot]) word = U32(0xdeadbeefu);
      open_.push_back({slot, from});
    }
    void commit() {
      pending_.push_back(open_);
      open_.clear();
    }
    template <int n>
    void wait() {
      while (pending_.size() > n) {
        for (const Copy& copy : pending_.front()) {
          for (int k = 0; k < 4; ++k) {
            slots_[copy.slot][k] = U32::of([&](int lane) { return copy.from[4 * lane + k]; });
          }
        }
        pending_.pop_front();
      }
    }
    void read(int slot, U32 (&words)[4]) const {
      for (int k = 0; k < 4; ++k) words[k] = slots_[slot][k];
    }

   private:
    struct Copy {
      int slot;
      const std::uint32_t* from;
    };
    U32 slots_[kSlots][4];
    std::vector<Copy> open_;
    std::deque<std::vector<Copy>> pending_;
  };

 private:
  template <class To, class From>
  static Lanes<To> cast(const Lanes<From>& x) {
    return Lanes<To>::of([&](int i) { return static_cast<To>(x.v[i]); });
  }
  // As on a GPU: NaN is 0, and what is too large stops at the ends.
  static std::int32_t to_int(float x) {
    if (!(std::fabs(x) < 0x1p31F)) return x != x ? 0 : x < 0 ? INT32_MIN : INT32_MAX;
    return static_cast<std::int32_t>(x);
  }
  template <class To, class From>
  static Lanes<To> recast(const Lanes<From>& x) {
    Lanes<To> out;
    static_assert(sizeof out == sizeof x);
    std::memcpy(out.v, x.v, sizeof out.v);
    return out;
  }
};

}  // namespace pbatch::cuda
