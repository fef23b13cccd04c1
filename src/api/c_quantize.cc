// Quantization from C.
#include <string>
#include <string_view>
#include <utility>

#include "api/c_guard.h"
#include "api/c_tensor.h"
#include "pbatch/pbatch.h"
#include "pbatch/quantize.h"
#include "quantize/options.h"

namespace pbatch {
namespace {

Result<QuantizeOptions> read_options(const pbatch_quantize_options* given) {
  QuantizeOptions options;
  if (given == nullptr) return options;
  if (given->exclude_count > 0 && given->exclude == nullptr) return null_argument("exclude");
  options.planes = given->planes;
  options.group = given->group;
  options.min_elements = given->min_elements;
  options.threads = given->threads;
  for (std::size_t i = 0; i < given->exclude_count; ++i) {
    if (given->exclude[i] == nullptr) return null_argument("an excluded name");
    options.exclude.emplace_back(given->exclude[i]);
  }
  return options;
}

Status read_codes(const pbatch_code_options* given, QuantizeOptions& options) {
  if (given == nullptr) return Status::ok();
  options.floor_bits = given->floor_bits;
  const int scheme = number_in(given->scheme);
  if (scheme < 0 || static_cast<std::size_t>(scheme) >= scheme_names().size()) {
    return Status(ErrorCode::invalid_argument, "there is no such scheme",
                  "use a value of pbatch_scheme");
  }
  options.scheme = static_cast<Scheme>(scheme);
  if (given->sample_count > 0 && given->samples == nullptr) return null_argument("samples");
  for (std::size_t i = 0; i < given->sample_count; ++i) {
    PBATCH_ASSIGN_OR_RETURN(Tensor data, tensor_of(given->samples[i]));
    options.samples.push_back({given->samples[i].name, std::move(data)});
  }
  return Status::ok();
}

Status read_settings(const char* const* settings, std::size_t count, QuantizeOptions& options) {
  if (count > 0 && settings == nullptr) return null_argument("settings");
  for (std::size_t i = 0; i < count; ++i) {
    if (settings[i] == nullptr) return null_argument("a setting");
    const std::string_view text = settings[i];
    const std::size_t equals = text.find('=');
    if (equals == std::string_view::npos) {
      return Status(ErrorCode::invalid_argument, "setting '" + std::string(text) + "' has no value",
                    "write NAME=VALUE");
    }
    PBATCH_RETURN_IF_ERROR(set_option(options, text.substr(0, equals), text.substr(equals + 1)));
  }
  return Status::ok();
}

pbatch_quantize_summary summarize(const QuantizeReport& report) {
  pbatch_quantize_summary summary{};
  for (const LayerReport& layer : report.layers) {
    ++(layer.quantized ? summary.layers_quantized : summary.layers_float);
  }
  summary.float_bytes = report.float_bytes;
  summary.model_bytes = report.model_bytes;
  summary.data_bytes = report.data_bytes;
  return summary;
}

}  // namespace
}  // namespace pbatch

using pbatch::Status;

extern "C" {

pbatch_quantize_options pbatch_quantize_defaults(void) {
  const pbatch::QuantizeOptions defaults;
  return {defaults.planes, defaults.group, defaults.min_elements, nullptr, 0, defaults.threads};
}

pbatch_code_options pbatch_code_defaults(void) {
  const pbatch::QuantizeOptions defaults;
  return {defaults.floor_bits, PBATCH_SCHEME_AUTO, nullptr, 0};
}

pbatch_code pbatch_quantize(const char* onnx_path, const char* out_path,
                            const pbatch_quantize_options* options,
                            pbatch_quantize_summary* summary, pbatch_error* error) {
  return pbatch_quantize_codes(onnx_path, out_path, options, nullptr, summary, error);
}

pbatch_code pbatch_quantize_codes(const char* onnx_path, const char* out_path,
                                  const pbatch_quantize_options* options,
                                  const pbatch_code_options* codes,
                                  pbatch_quantize_summary* summary, pbatch_error* error) {
  return pbatch_quantize_settings(onnx_path, out_path, options, codes, nullptr, 0, summary, error);
}

pbatch_code pbatch_quantize_settings(const char* onnx_path, const char* out_path,
                                     const pbatch_quantize_options* options,
                                     const pbatch_code_options* codes, const char* const* settings,
                                     size_t setting_count, pbatch_quantize_summary* summary,
                                     pbatch_error* error) {
  return pbatch::guard_c(error, [&]() -> Status {
    if (onnx_path == nullptr) return pbatch::null_argument("onnx_path");
    if (out_path == nullptr) return pbatch::null_argument("out_path");
    PBATCH_ASSIGN_OR_RETURN(pbatch::QuantizeOptions chosen, pbatch::read_options(options));
    PBATCH_RETURN_IF_ERROR(pbatch::read_codes(codes, chosen));
    PBATCH_RETURN_IF_ERROR(pbatch::read_settings(settings, setting_count, chosen));
    PBATCH_ASSIGN_OR_RETURN(const pbatch::QuantizeReport report,
                            pbatch::quantize_file(onnx_path, out_path, chosen));
    if (summary != nullptr) *summary = pbatch::summarize(report);
    return Status::ok();
  });
}

}  // extern "C"
