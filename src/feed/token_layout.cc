#include "feed/token_layout.h"

#include <algorithm>
#include <utility>

#include "feed/convert.h"

namespace pbatch {

const char* token_axes_name(TokenAxes axes) {
  switch (axes) {
    case TokenAxes::batch_time:
      return "[batch, time]";
    case TokenAxes::time_batch:
      return "[time, batch]";
    case TokenAxes::batch:
      return "[batch]";
    case TokenAxes::time:
      break;
  }
  return "[time]";
}

Shape TokenLayout::shape(std::int64_t b, std::int64_t t) const {
  if (axes == TokenAxes::batch_time) return {b, t};
  if (axes == TokenAxes::time_batch) return {t, b};
  return {axes == TokenAxes::batch ? b : t};
}

std::int64_t TokenLayout::index(std::int64_t b, std::int64_t t, std::int64_t b_count,
                                std::int64_t t_count) const {
  return axes == TokenAxes::time_batch ? t * b_count + b : b * t_count + t;
}

Result<Tensor> TokenLayout::input(const PortInfo& port, std::span<const std::int64_t> tokens,
                                  std::int64_t b_count, std::int64_t t_count) const {
  PBATCH_ASSIGN_OR_RETURN(Tensor tensor, Tensor::create(DType::i64, shape(b_count, t_count)));
  for (std::int64_t b = 0; b < b_count; ++b) {
    for (std::int64_t t = 0; t < t_count; ++t) {
      tensor.mutable_data<std::int64_t>()[index(b, t, b_count, t_count)] =
          tokens[static_cast<std::size_t>(b * t_count + t)];
    }
  }
  return convert_tensor(tensor, port.dtype);
}

Result<std::vector<TokenLayout>> token_layouts(const PortInfo& port, FirstAxis first) {
  Shape shape = port.shape;
  if (shape.empty()) shape = {-1, -1};  // undeclared
  if (shape.size() > 2 || std::count(shape.begin(), shape.end(), 0) > 0) {
    return Status(ErrorCode::unsupported,
                  "input '" + port.name + "' has shape " + shape_to_string(shape) +
                      " where tokens have a batch, a time, or both",
                  "export the network with token numbers as its input");
  }
  std::vector<TokenLayout> layouts;
  if (shape.size() == 1) {
    layouts = {{TokenAxes::time, 1, shape[0]}, {TokenAxes::batch, shape[0], 1}};
  } else {
    layouts = {{TokenAxes::batch_time, shape[0], shape[1]},
               {TokenAxes::time_batch, shape[1], shape[0]}};
  }
  if (first != FirstAxis::unknown) {
    std::erase_if(layouts, [&](const TokenLayout& l) {
      const bool batch = l.axes == TokenAxes::batch_time || l.axes == TokenAxes::batch;
      return batch != (first == FirstAxis::batch);
    });
  }
  std::stable_partition(layouts.begin(), layouts.end(),
                        [](const TokenLayout& l) { return l.batch == 1; });
  return layouts;
}

bool holds_tokens(const PortInfo& port) {
  return port.dtype == DType::i64 || port.dtype == DType::i32 || port.dtype == DType::u8 ||
         port.dtype == DType::u16 || port.dtype == DType::i16 || port.dtype == DType::u32 ||
         port.dtype == DType::u64 || port.dtype == DType::i8;
}

}  // namespace pbatch
