// The items of a batch: which dimension counts them, and some of them as a tensor of their own.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "pbatch/network.h"
#include "pbatch/status.h"
#include "pbatch/tensor.h"

namespace pbatch {

/// A tensor as `outer` blocks, each of the `items` items one after another, of `inner` elements.
struct ItemBlocks {
  std::int64_t outer = 1, inner = 1, items = 1;

  ItemBlocks(const Shape& shape, int axis);
  /// The first element of an item in a block.
  std::int64_t at(std::int64_t block, std::int64_t item) const {
    return (block * items + item) * inner;
  }
};

/// A dimension of a tensor that counts items; -1: it has none, and is the same for all.
int batch_axis(const std::map<std::string, int>& axes, const std::string& name,
               const Tensor& tensor);

/// Items of all inputs, which must be the same number. invalid_argument where no input has items,
/// shape_mismatch where they have different numbers, both naming inputs.
Result<std::int64_t> count_items(std::span<const NamedTensor> inputs,
                                 const std::map<std::string, int>& axes);

/// Items `which` of a tensor, in that order. Precondition: axis is a dimension of it, and they are
/// among its items.
Result<Tensor> gather_items(const Tensor& from, int axis, std::span<const std::int64_t> which);

/// Items 0, 1, ... of `from` become items which[0], which[1], ... of `to`; what is left over of
/// `from` is left out. Precondition: the shapes agree but for dimension `axis`.
void scatter_items(const Tensor& from, int axis, std::span<const std::int64_t> which, Tensor& to);

/// shape_mismatch, naming the output, where the items of two tensors differ in shape or type.
Status check_same_items(const std::string& output, const Tensor& a, int axis, const Tensor& b);

/// Items that a run must take, as the inputs' ports fix it; 0: any number. shape_mismatch where
/// they fix different ones.
Result<std::int64_t> fixed_batch(const std::vector<PortInfo>& inputs,
                                 const std::map<std::string, int>& axes);

}  // namespace pbatch
