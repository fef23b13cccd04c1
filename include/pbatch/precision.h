// How many bits a run uses.
#pragma once

#include <map>
#include <string>

#include "pbatch/export.h"
#include "pbatch/status.h"

namespace pbatch {

class Session;

/// For activation_bits, with Arithmetic::integers: 8 bits whose steps grow with what they stand
/// for, by two numbers that samples gave (docs/integer.md).
inline constexpr int kActivations8s = 108;

/// Bits of one layer. weight_bits: 1 to 16 bit-layers, or 32 for float weights
/// and float arithmetic. activation_bits: 8, 16, 32 or kActivations8s; ignored with float weights.
/// Others are invalid_argument for who takes the precision.
struct LayerPrecision {
  int weight_bits = 4;
  int activation_bits = 16;
  friend bool operator==(const LayerPrecision&, const LayerPrecision&) = default;
  friend auto operator<=>(const LayerPrecision&, const LayerPrecision&) = default;
};

/// What a run computes with.
enum class Arithmetic {
  floats,   ///< products of bit-layers in integers, everything between them in floats
  integers  ///< integers alone, with scales decided beforehand (docs/integer.md)
};

/// The precision of a run: one default and overrides by layer name. Layers that a model wants read
/// at some width at least (LayerInfo::min_weight_bits) are, unless an override names them. A value,
/// passed to every run; no session remembers it.
struct Precision {
  LayerPrecision all;
  std::map<std::string, LayerPrecision> layers;
  /// Bit-layers everywhere, with the same bits on every machine. Else a convolution that bits would
  /// slow down, told from the file, the precision and the instruction set alone, runs in float on
  /// the weights of its first weight_bits planes: Session::plan says which do. What is left of
  /// float products takes an item at a time (FloatBackend::by_row), so that the items of a batch
  /// get the bits that they get alone.
  bool exact = false;
  /// With integers no float stands between input and output, and results have the same bits on
  /// every machine. Activation bits are 8, 16 or 8s; every layer has bit-layers' widths. A run
  /// fails, naming the node, where an operator has no integer form or a scale is missing.
  Arithmetic arithmetic = Arithmetic::floats;

  static Precision bits(int weight_bits, int activation_bits = 16) {
    return {{weight_bits, activation_bits}, {}, false};
  }
  static Precision integer(int weight_bits, int activation_bits = 16) {
    return {{weight_bits, activation_bits}, {}, false, Arithmetic::integers};
  }
  static Precision f32() { return {{32, 32}, {}, false}; }
  /// What the bit allocation `path`, a file that `pbatch allocate` wrote, gives the layers of
  /// `session`; `all` is the greatest of it. io and not_found for the file, malformed for what is
  /// no allocation or has bits that do not exist, invalid_argument if it was made for other
  /// weights, precision_unavailable if the session holds fewer planes, unsupported for a later
  /// format. Thread-safe.
  PBATCH_API static Result<Precision> from_allocation(const std::string& path,
                                                      const Session& session);

  /// The precision of the layer of that name.
  const LayerPrecision& of(const std::string& layer) const {
    auto it = layers.find(layer);
    return it == layers.end() ? all : it->second;
  }
  friend bool operator==(const Precision&, const Precision&) = default;
  friend auto operator<=>(const Precision&, const Precision&) = default;
};

}  // namespace pbatch
