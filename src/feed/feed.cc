#include "feed/feed.h"

#include <algorithm>
#include <utility>

#include "base/printable.h"
#include "feed/convert.h"
#include "feed/step_ports.h"

namespace pbatch {

Status Feed::add(const PortInfo& port, const InputData& given, bool alone) {
  const Shape& shape = given.data.shape();
  if (shape.empty() || shape[0] == 0 || given.data.size() == 0) {
    return {ErrorCode::invalid_argument, "the data holds no items",
            "give an array whose first dimension is the item"};
  }
  if (!parts_.empty() && shape[0] != items_) {
    return {ErrorCode::shape_mismatch,
            "input '" + port.name + "' has " + std::to_string(shape[0]) + " items and '" +
                parts_[0].name + "' has " + std::to_string(items_),
            "give data of the same items"};
  }
  items_ = shape[0];
  Part part{port.name, {}, {}};
  PBATCH_ASSIGN_OR_RETURN(part.fit,
                          fit_items(Shape(shape.begin() + 1, shape.end()), port, given.axis));
  if (part.fit.batch > 0 && batch_ > 0 && part.fit.batch != batch_) {
    return {ErrorCode::shape_mismatch,
            "input '" + port.name + "' takes " + std::to_string(part.fit.batch) +
                " items a run where others take " + std::to_string(batch_),
            "name the inputs' batch dimensions with --batch-axis"};
  }
  if (part.fit.batch > 0) batch_ = part.fit.batch;
  std::string how = "values as stored";
  if (given.pixels && port.dtype == DType::f32) {
    PBATCH_ASSIGN_OR_RETURN(part.data, scaled_to_float(given.data, 255.0F));
    how = "pixels/255";
  } else {
    auto converted = convert_tensor(given.data, port.dtype);
    if (!converted) {
      return {converted.status().code(),
              "input '" + port.name + "': " + converted.status().message(),
              converted.status().remedy()};
    }
    part.data = std::move(converted).value();
  }
  how += ", each item as " + shape_to_string(part.fit.input_shape(1));
  note_ += (note_.empty() ? "" : "; ") + (alone ? how : printable(port.name) + ": " + how);
  parts_.push_back(std::move(part));
  return Status::ok();
}

Result<Feed> Feed::create(const std::vector<PortInfo>& inputs, const std::vector<InputData>& data) {
  Feed feed;
  const auto required = std::count_if(inputs.begin(), inputs.end(),
                                      [](const PortInfo& port) { return !port.optional; });
  for (const InputData& given : data) {
    if (given.name.empty() && required != 1) {
      return Status(ErrorCode::invalid_argument, "which input the data is for must be said",
                    "give --data NAME=FILE for each of " + describe_ports(inputs));
    }
    if (given.name.empty()) continue;
    PBATCH_RETURN_IF_ERROR(find_named_port(inputs, given.name, "input").status());
  }
  for (const PortInfo& port : inputs) {
    const InputData* found = nullptr;
    for (const InputData& given : data) {
      if (given.name.empty() ? port.optional : given.name != port.name) continue;
      if (found != nullptr) {
        return Status(ErrorCode::invalid_argument, "input '" + port.name + "' is given twice",
                      "give each input once");
      }
      found = &given;
    }
    if (found == nullptr && port.optional) continue;
    if (found == nullptr) {
      return Status(ErrorCode::invalid_argument, "input '" + port.name + "' is missing",
                    "give --data NAME=FILE for each of " + describe_ports(inputs));
    }
    PBATCH_RETURN_IF_ERROR(feed.add(port, *found, required == 1));
  }
  return feed;
}

std::optional<std::map<std::string, int>> Feed::batch_axes() const {
  std::map<std::string, int> axes;
  for (const Part& part : parts_) {
    if (!part.fit.batch_dim) return std::nullopt;
    axes[part.name] = static_cast<int>(part.fit.axis);
  }
  return axes;
}

Result<std::vector<NamedTensor>> Feed::inputs(std::int64_t first, std::int64_t count,
                                              std::int64_t n) const {
  std::vector<NamedTensor> tensors;
  for (const Part& part : parts_) {
    PBATCH_ASSIGN_OR_RETURN(Tensor t, take_items(part.data, first, count, n, part.fit));
    tensors.push_back({part.name, std::move(t)});
  }
  return tensors;
}

}  // namespace pbatch
