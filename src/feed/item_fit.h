// How the items of a data file go into a network's input.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "pbatch/network.h"
#include "pbatch/status.h"
#include "pbatch/tensor.h"

namespace pbatch {

struct ItemFit {
  std::int64_t batch = 0;  ///< items a run must take; 0: any number
  bool batch_dim = true;   ///< whether the input has a batch dimension at all
  std::size_t axis = 0;    ///< which dimension that is
  Shape item;              ///< an item's shape in the input, without the batch dimension

  /// The input's shape for `n` items. Precondition: n == 1 without a batch dimension.
  Shape input_shape(std::int64_t n) const;
};

/// Fits items of shape `item` (a data file's without its first dimension) to
/// what `port` takes after its batch dimension, reshaping when the element
/// counts agree: 28 x 28 into 784 or 1 x 28 x 28. An input whose whole shape is
/// one item has no batch dimension. The batch is dimension `axis`; without one it is the first, or
/// the only free one where the first is fixed above 1 and the items fit the others as they are
/// (time, batch, features). shape_mismatch names the input and both shapes.
Result<ItemFit> fit_items(const Shape& item, const PortInfo& port,
                          std::optional<std::size_t> axis = {});

/// Items first .. first + count - 1 of `data` as an input for `n` >= count
/// items; the last item stands in for those that are missing.
Result<Tensor> take_items(const Tensor& data, std::int64_t first, std::int64_t count,
                          std::int64_t n, const ItemFit& fit);

}  // namespace pbatch
