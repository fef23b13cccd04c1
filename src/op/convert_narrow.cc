#include "op/convert_narrow.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>

#include "op/convert.h"

namespace pbatch {
namespace {

// Values of type.held to the range of the type; `wrap`: by their lowest bits.
template <class T>
void narrow_integers(const NarrowType& type, bool wrap, std::int64_t count, T* values) {
  const int least = least_narrow(type), most = greatest_narrow(type), range = most - least + 1;
  for (std::int64_t i = 0; i < count; ++i) {
    const int v = values[i];
    values[i] =
        static_cast<T>(wrap ? ((v - least) & (range - 1)) + least : std::clamp(v, least, most));
  }
}

}  // namespace

StepPlan plan_convert_narrow(const Tensor& x, const NarrowType& type, bool saturate) {
  StepPlan held = plan_convert(x, type.held);
  const std::shared_ptr<const Step> convert = std::move(held.step);  // none where x is of that type
  const bool wrap = x.dtype() != DType::f32 && x.dtype() != DType::f16 &&
                    x.dtype() != DType::bf16 && x.dtype() != DType::f64;
  return StepPlan::of({type.held, x.shape()}, [&type, saturate, convert, wrap,
                                               count = x.size()](const StepCall& call) {
    if (convert != nullptr) {
      PBATCH_RETURN_IF_ERROR(convert->run(call));
    } else if (count != 0) {
      std::memcpy(call.out[0], call.in[0], static_cast<std::size_t>(count) * dtype_size(type.held));
    }
    if (type.held == DType::i8) {
      narrow_integers(type, wrap, count, call.output<std::int8_t>(0));
    } else if (type.held == DType::u8) {
      narrow_integers(type, wrap, count, call.output<std::uint8_t>(0));
    } else {
      float* const y = call.output<float>(0);
      for (std::int64_t i = 0; i < count; ++i) y[i] = nearest_narrow(type, y[i], saturate);
    }
    return Status::ok();
  });
}

}  // namespace pbatch
