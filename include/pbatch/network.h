// What a network takes, gives and consists of: plain values. Shapes are row-major, outermost
// dimension first.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "pbatch/tensor.h"

namespace pbatch {

/// An input or output of the network. A dimension of -1 is free.
struct PortInfo {
  std::string name;
  DType dtype = DType::f32;
  Shape shape;
  std::vector<std::string> dim_names;  ///< of each dimension; empty where the network gives none
  bool optional = false;               ///< an input that has a value where none is fed
};

/// A matrix held as bit-layers.
struct LayerInfo {
  std::string name;                 ///< the key for Precision::layers
  std::string op_type;              ///< of its node: BitLinear, BitConv, BitGather or BitRecurrent
  std::int64_t rows = 0, cols = 0;  ///< outputs (of a table: entries), and what each reads
  int group = 0;                    ///< columns per scale; 0: whole rows
  int planes_stored = 0;            ///< as the model declares
  int planes_available = 0;         ///< as the data file holds; fewer if it was cut
  std::int64_t plane_bytes = 0;     ///< of one plane
  std::int64_t scale_bytes = 0;     ///< of all scales, and outliers
  std::string same_as;              ///< a layer before it that has the same matrix; else empty
  int min_weight_bits = 1;  ///< runs read as many planes of it at least, if they are there and
                            ///< Precision::layers does not name it
};

/// What an input of that name is fed.
struct NamedTensor {
  std::string name;  ///< as PortInfo has it
  Tensor tensor;
};

/// A shape that an input of the network will have.
struct InputShape {
  std::string name;
  Shape shape;  ///< without free dimensions
};

}  // namespace pbatch
