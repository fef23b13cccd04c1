// Sessions in integers.
#include <algorithm>
#include <cctype>

#include "api/session_impl.h"
#include "integer/export_c.h"
#include "run/check_inputs.h"

namespace pbatch {

// Integers are of the CPU, of bit-layers, and of 8 or 16 bits.
Status Session::Impl::check_arithmetic(const Precision& precision) const {
  if (precision.arithmetic == Arithmetic::floats) return Status::ok();
  const std::string& file = program.graph().source_file;
  if (layers.empty()) {
    return Status(ErrorCode::invalid_argument, "integer arithmetic needs a network of bit-layers",
                  "make one with 'pbatch quantize'")
        .in_file(file);
  }
  if (on_device != nullptr) {
    return Status(ErrorCode::unsupported, "integer arithmetic is not of a GPU",
                  "load the session with Device::cpu()")
        .in_file(file);
  }
  const auto check = [&](const LayerPrecision& p) -> Status {
    if (p.weight_bits <= 16 && (p.activation_bits == 8 || p.activation_bits == 16 ||
                                p.activation_bits == kActivations8s)) {
      return Status::ok();
    }
    return Status(ErrorCode::invalid_argument,
                  std::to_string(p.weight_bits) + " weight bits and " +
                      std::to_string(p.activation_bits) +
                      " activation bits are no integers' widths",
                  "ask for 1 to 16 weight bits and 8 or 16 activation bits or 8s")
        .in_file(file);
  };
  PBATCH_RETURN_IF_ERROR(check(precision.all));
  for (const auto& [name, bits] : precision.layers) PBATCH_RETURN_IF_ERROR(check(bits));
  return Status::ok();
}

Result<std::shared_ptr<const IntegerProgram>> Session::Impl::integer_program(
    const Precision& given, std::span<const InputShape> shapes) {
  Precision precision = given;
  precision.arithmetic = Arithmetic::integers;
  PBATCH_RETURN_IF_ERROR(begin_run());
  const RunUnderWay until_the_end(under_way);
  PBATCH_RETURN_IF_ERROR(check_arithmetic(precision));
  bool assumed = false;
  const Result<std::vector<Tensor>> ordered = check_shapes(program.graph(), shapes, &assumed);
  if (!ordered) return ordered.status().in_file(program.graph().source_file);
  const std::shared_ptr<const Precision> bits = meant_by(precision);
  PBATCH_RETURN_IF_ERROR(check_precision(*bits));
  RunContext context{*pool, buffers, *bits, backend_for(*bits)};
  return integers.get(program, context, *ordered);
}

Result<std::vector<AccumulatorBound>> Session::accumulators(
    const Precision& precision, std::span<const InputShape> shapes) const {
  PBATCH_ASSIGN_OR_RETURN(const auto made, impl_->integer_program(precision, shapes));
  return made->bounds();
}

Result<std::vector<SourceFile>> Session::export_c(const std::string& name,
                                                  const Precision& precision,
                                                  std::span<const InputShape> shapes) const {
  const bool is_name = !name.empty() && (std::isdigit(static_cast<unsigned char>(name[0])) == 0) &&
                       std::all_of(name.begin(), name.end(), [](unsigned char c) {
                         return c < 128 && (std::isalnum(c) != 0 || c == '_');
                       });
  if (!is_name) {
    return Status(ErrorCode::invalid_argument, "'" + name + "' is no name of C's",
                  "take letters, digits and underscores");
  }
  PBATCH_ASSIGN_OR_RETURN(const auto made, impl_->integer_program(precision, shapes));
  return pbatch::export_c(*made, name, impl_->buffers);
}

}  // namespace pbatch
