// The numbers among the options of quantization, by name.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "pbatch/quantize.h"
#include "pbatch/status.h"

namespace pbatch {

/// The names that set_option() knows, as pbatch/quantize_options.inc lists them.
std::span<const std::string_view> option_names();

/// The option of that name from its text. invalid_argument for a name that there is not and a value
/// out of its range.
Status set_option(QuantizeOptions& options, std::string_view name, std::string_view value);

/// Whether all numbers are within their ranges.
Status check_options(const QuantizeOptions& options);

}  // namespace pbatch
