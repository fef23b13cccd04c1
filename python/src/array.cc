#include "array.h"

#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

#include "dtype.h"
#include "status.h"

namespace nb = nanobind;

namespace pbatch::python {
namespace {

// Views share it, so that a result which is an input's memory is known to be shared.
const std::shared_ptr<const void>& lender() {
  static const std::shared_ptr<const void> owner = std::make_shared<char>();
  return owner;
}

template <class Array>
Shape shape_of(const Array& array) {
  return {array.shape_ptr(), array.shape_ptr() + array.ndim()};
}

template <class Array>
bool is_in_order(const Array& array) {
  std::int64_t next = 1;
  for (std::size_t i = array.ndim(); i-- > 0;) {
    if (array.shape(i) != 1 && array.stride(i) != next) return false;
    next *= static_cast<std::int64_t>(array.shape(i));
  }
  return true;
}

// Copies between memory in order and memory with strides (in elements), along dimension `d` and on.
struct StridedCopy {
  const std::int64_t* shape;
  const std::int64_t* strides;
  std::size_t rank;
  std::size_t item;
  bool gather;  // from the strides

  // Returns where the memory in order goes on.
  std::byte* along(std::size_t d, std::byte* strided, std::byte* in_order) const {
    if (d == rank) {
      std::memcpy(gather ? in_order : strided, gather ? strided : in_order, item);
      return in_order + item;
    }
    for (std::int64_t i = 0; i < shape[d]; ++i) {
      in_order = along(d + 1, strided + i * strides[d] * static_cast<std::int64_t>(item), in_order);
    }
    return in_order;
  }
};

nb::object numpy() { return nb::module_::import_("numpy"); }

std::string class_name(nb::handle value) {
  return nb::cast<std::string>(nb::handle(value.type()).attr("__name__"));
}

[[noreturn]] void raise_not_an_array(nb::handle value, const PortInfo& port) {
  std::string came = "a " + class_name(value);
  if (nb::hasattr(value, "dtype")) {
    const nb::object dtype = value.attr("dtype");
    came = "an array of " + nb::cast<std::string>(nb::steal(PyObject_Str(dtype.ptr())));
  }
  raise_invalid(
      "input '" + port.name + "' is " + came + " but the network takes " + dtype_name(port.dtype),
      "convert it first");
}

// For what neither DLPack nor the buffer protocol can say, or say to us.
nb::object through_numpy(nb::handle value, const PortInfo& port) {
  const nb::object np = numpy();
  if (nb::isinstance(value, np.attr("ndarray")) || nb::isinstance(value, np.attr("generic"))) {
    const nb::object dtype = value.attr("dtype");
    if (nb::cast<std::string>(dtype.attr("kind")).find_first_of("biuf") != std::string::npos) {
      return np.attr("asarray")(value).attr("astype")(dtype.attr("newbyteorder")("="));
    }
    raise_not_an_array(value, port);
  }
  const bool plain = nb::isinstance<nb::list>(value) || nb::isinstance<nb::tuple>(value) ||
                     nb::isinstance<nb::float_>(value) || nb::isinstance<nb::int_>(value);
  if (!plain) raise_not_an_array(value, port);
  try {
    return np.attr("asarray")(value, dtype_name(port.dtype));
  } catch (nb::python_error& error) {
    if (!error.matches(PyExc_ValueError) && !error.matches(PyExc_TypeError) &&
        !error.matches(PyExc_OverflowError)) {
      throw;
    }
  }
  raise_not_an_array(value, port);
}

void check_device(int device, const std::string& what) {
  if (device == nb::device::cpu::value || device == nb::device::cuda_host::value) return;
  raise(Status(ErrorCode::unsupported, what + " is not in the CPU's memory", "move it there"));
}

}  // namespace

BorrowedArray borrow_array(nb::handle value, const PortInfo& port) {
  BorrowedArray borrowed;
  nb::ndarray<nb::ro>& array = borrowed.array;
  if (!nb::try_cast(value, array, false) &&
      !nb::try_cast(through_numpy(value, port), array, false)) {
    raise_not_an_array(value, port);
  }
  check_device(array.device_type(), "input '" + port.name + "'");
  const std::optional<DType> type = from_dlpack(array.dtype());
  if (!type) {
    raise_invalid("input '" + port.name + "' is " + dlpack_name(array.dtype()) +
                      " but the network takes " + dtype_name(port.dtype),
                  "convert it first");
  }
  Shape shape = shape_of(array);
  const auto address = reinterpret_cast<std::uintptr_t>(array.data());
  if (is_in_order(array) && address % dtype_size(*type) == 0 && address != 0) {
    borrowed.tensor = Tensor::view(*type, std::move(shape), array.data(), lender());
    return borrowed;
  }
  borrowed.tensor = take(Tensor::create(*type, std::move(shape)));
  if (borrowed.tensor.size() == 0) return borrowed;
  const StridedCopy copy{array.shape_ptr(), array.stride_ptr(), array.ndim(), dtype_size(*type),
                         true};
  copy.along(0, static_cast<std::byte*>(const_cast<void*>(array.data())),
             static_cast<std::byte*>(borrowed.tensor.mutable_raw()));
  return borrowed;
}

nb::object to_numpy(Tensor tensor) {
  if (tensor.is_shared()) {
    Tensor copy = take(Tensor::create(tensor.dtype(), tensor.shape()));
    if (tensor.bytes() > 0) std::memcpy(copy.mutable_raw(), tensor.raw(), tensor.bytes());
    tensor = std::move(copy);
  }
  auto held = std::make_unique<Tensor>(std::move(tensor));
  Tensor* const t = held.get();
  const nb::capsule owner(held.get(), [](void* p) noexcept { delete static_cast<Tensor*>(p); });
  static_cast<void>(held.release());
  const std::vector<std::size_t> shape(t->shape().begin(), t->shape().end());
  static char nothing[64];
  void* const data = t->raw() == nullptr ? nothing : t->mutable_raw();
  return nb::ndarray<nb::numpy>(data, shape.size(), shape.data(), owner, nullptr,
                                to_dlpack(t->dtype()))
      .cast();
}

Destination::Destination(nb::handle value, const PortInfo& port) : name_(port.name) {
  const std::string what = "the array for output '" + port.name + "'";
  if (!nb::try_cast(value, array_, false)) {
    nb::ndarray<nb::ro> readable;
    if (nb::try_cast(value, readable, false)) {
      raise_invalid(what + " is read-only", "give one that can be written");
    }
    raise_invalid(what + " is a " + class_name(value), "give an array that can be written");
  }
  check_device(array_.device_type(), what);
  if (from_dlpack(array_.dtype()) != port.dtype) {
    raise_invalid(what + " is " + dlpack_name(array_.dtype()) + " but the network gives " +
                      dtype_name(port.dtype),
                  "give one of that type");
  }
}

void Destination::fill(const Tensor& result) {
  if (shape_of(array_) != result.shape()) {
    raise(Status(ErrorCode::shape_mismatch,
                 "the array for output '" + name_ + "' has shape " +
                     shape_to_string(shape_of(array_)) + " but the result has " +
                     shape_to_string(result.shape()),
                 "give one of that shape"));
  }
  if (result.bytes() == 0) return;
  if (is_in_order(array_)) {
    std::memcpy(array_.data(), result.raw(), result.bytes());
    return;
  }
  const StridedCopy copy{array_.shape_ptr(), array_.stride_ptr(), array_.ndim(),
                         dtype_size(result.dtype()), false};
  copy.along(0, static_cast<std::byte*>(array_.data()),
             static_cast<std::byte*>(const_cast<void*>(result.raw())));
}

}  // namespace pbatch::python
