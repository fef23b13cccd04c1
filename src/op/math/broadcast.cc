#include "op/math/broadcast.h"

#include <string>

namespace pbatch {

Result<Shape> broadcast_shape(std::span<const Shape* const> shapes) {
  std::size_t rank = 0;
  for (const Shape* shape : shapes) rank = std::max(rank, shape->size());
  Shape result(rank, 1);
  for (const Shape* shape : shapes) {
    const std::size_t lead = rank - shape->size();
    for (std::size_t d = 0; d < shape->size(); ++d) {
      const std::int64_t size = (*shape)[d];
      std::int64_t& common = result[lead + d];
      if (size == common || size == 1) continue;
      if (common == 1) {
        common = size;
        continue;
      }
      std::string text;
      for (const Shape* s : shapes) text += (text.empty() ? "" : " and ") + shape_to_string(*s);
      return Status(ErrorCode::shape_mismatch, "shapes " + text + " do not broadcast",
                    "feed the shape that the network was trained on");
    }
  }
  return result;
}

Result<Broadcast> Broadcast::create(std::initializer_list<const Shape*> inputs) {
  Broadcast b;
  b.inputs_ = inputs.size();
  PBATCH_ASSIGN_OR_RETURN(b.shape_, broadcast_shape({inputs.begin(), inputs.size()}));
  PBATCH_ASSIGN_OR_RETURN(b.size_, checked_element_count(b.shape_, 1));

  const std::size_t rank = b.shape_.size();
  std::vector<Dimension> dims(rank);
  for (std::size_t d = 0; d < rank; ++d) dims[d].size = b.shape_[d];
  std::size_t i = 0;
  for (const Shape* shape : inputs) {
    std::int64_t stride = 1;
    for (std::size_t d = shape->size(); d-- > 0;) {
      dims[rank - shape->size() + d].strides[i] = (*shape)[d] == 1 ? 0 : stride;
      stride *= (*shape)[d];
    }
    ++i;
  }

  for (const Dimension& next : dims) {
    if (next.size == 1) continue;
    bool merges = !b.dims_.empty();
    for (std::size_t k = 0; merges && k < b.inputs_; ++k) {
      merges = b.dims_.back().strides[k] == next.strides[k] * next.size;
    }
    if (merges) {
      b.dims_.back().size *= next.size;
      b.dims_.back().strides = next.strides;
    } else {
      b.dims_.push_back(next);
    }
  }
  if (b.dims_.empty()) b.dims_.emplace_back();
  if (b.dims_.size() > kMaxDims) {
    return Status(ErrorCode::unsupported,
                  "shapes of " + std::to_string(rank) + " dimensions broadcast",
                  "use at most " + std::to_string(kMaxDims) + " dimensions");
  }
  return b;
}

}  // namespace pbatch
