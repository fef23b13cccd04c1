#include "status.h"

namespace nb = nanobind;

namespace pbatch::python {

void raise(const Status& status) {
  const nb::object error =
      nb::module_::import_("pbatch.errors")
          .attr("from_status")(error_code_name(status.code()), status.message(), status.remedy(),
                               status.file(), status.node(), status.to_line());
  PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(error.ptr())), error.ptr());
  throw nb::python_error();
}

void raise_invalid(const std::string& message, const std::string& remedy) {
  raise(Status(ErrorCode::invalid_argument, message, remedy));
}

}  // namespace pbatch::python
