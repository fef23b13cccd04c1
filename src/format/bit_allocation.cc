#include "format/bit_allocation.h"

#include <set>

#include "format/json.h"
#include "onnx/file_bytes.h"

namespace pbatch {
namespace {

using nlohmann::json;

constexpr int kAllocationVersion = 1;
constexpr const char* kVersionKey = "pbatch_allocation";
constexpr std::int64_t kMostBytesOfText = std::int64_t{1} << 26;

Status no_allocation(const std::string& why) {
  return {ErrorCode::malformed, "it is no bit allocation: " + why,
          "make one with 'pbatch allocate'"};
}

const json* find_key(const json& object, const char* key) {
  const auto at = object.find(key);
  return at == object.end() ? nullptr : &*at;
}

Result<std::string> read_string(const json& object, const char* key) {
  const json* const value = find_key(object, key);
  if (value == nullptr || !value->is_string()) {
    return no_allocation(std::string("'") + key + "' is no text");
  }
  return value->get<std::string>();
}

Result<int> read_bits(const json& object, const char* key, const char* wanted, auto exists) {
  const json* const value = find_key(object, key);
  if (value != nullptr && value->is_number_integer()) {
    const auto bits = value->get<std::int64_t>();
    if (bits >= 0 && bits <= 32 && exists(static_cast<int>(bits))) return static_cast<int>(bits);
  }
  return Status(ErrorCode::malformed,
                std::string("'") + key + "' is " + (value == nullptr ? "missing" : value->dump()),
                std::string("use ") + wanted);
}

Result<LayerPrecision> read_layer(const json& object) {
  LayerPrecision read;
  PBATCH_ASSIGN_OR_RETURN(
      read.weight_bits, read_bits(object, "weight_bits", "1 to 16, or 32 for float", [](int bits) {
        return (bits >= 1 && bits <= 16) || bits == 32;
      }));
  PBATCH_ASSIGN_OR_RETURN(read.activation_bits,
                          read_bits(object, "activation_bits", "8, 16 or 32", [](int bits) {
                            return bits == 8 || bits == 16 || bits == 32;
                          }));
  return read;
}

Status read_layers(const json& list, BitAllocation* allocation) {
  std::set<std::string> names;
  for (const json& object : list) {
    if (!object.is_object()) return no_allocation("an element of 'layers' is no object");
    PBATCH_ASSIGN_OR_RETURN(std::string name, read_string(object, "name"));
    if (!names.insert(name).second) {
      return Status(ErrorCode::malformed, "the layer is there twice", "leave one of them out")
          .at_node(name);
    }
    const Result<LayerPrecision> bits = read_layer(object);
    if (!bits) return bits.status().at_node(name);
    allocation->layers.emplace_back(std::move(name), *bits);
  }
  return Status::ok();
}

}  // namespace

std::string allocation_json(const BitAllocation& allocation) {
  nlohmann::ordered_json written{{kVersionKey, kAllocationVersion},
                                 {"model", allocation.model},
                                 {"weights_checksum", allocation.weights_checksum},
                                 {"target", allocation.target}};
  const auto add = [&written](const char* key, const std::optional<double>& value) {
    if (value) written[key] = *value;
  };
  add("predicted_error", allocation.predicted_error);
  add("measured_error", allocation.measured_error);
  add("predicted_us", allocation.predicted_us);
  add("measured_us", allocation.measured_us);
  written["weight_bytes"] = allocation.weight_bytes;
  written["layers"] = nlohmann::ordered_json::array();
  for (const auto& [name, bits] : allocation.layers) {
    written["layers"].push_back({{"name", name},
                                 {"weight_bits", bits.weight_bits},
                                 {"activation_bits", bits.activation_bits}});
  }
  return written.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

Result<BitAllocation> parse_allocation(const std::string& text) {
  const Result<json> parsed = parse_json_object(text);
  if (!parsed) return no_allocation("it " + parsed.status().message());
  const json* const version = find_key(*parsed, kVersionKey);
  if (version == nullptr) return no_allocation(std::string("it has no '") + kVersionKey + "'");
  if (*version != kAllocationVersion) {
    return Status(ErrorCode::unsupported,
                  "version " + version->dump() + " of bit allocations, but this pbatch reads " +
                      std::to_string(kAllocationVersion),
                  "update pbatch or make it anew");
  }
  BitAllocation allocation;
  PBATCH_ASSIGN_OR_RETURN(allocation.model, read_string(*parsed, "model"));
  PBATCH_ASSIGN_OR_RETURN(allocation.weights_checksum, read_string(*parsed, "weights_checksum"));
  const json* const layers = find_key(*parsed, "layers");
  if (layers == nullptr || !layers->is_array()) return no_allocation("'layers' is no list");
  PBATCH_RETURN_IF_ERROR(read_layers(*layers, &allocation));
  return allocation;
}

Result<BitAllocation> read_allocation(const std::string& path) {
  PBATCH_ASSIGN_OR_RETURN(const FileBytes file, FileBytes::open(path));
  if (file.size() > kMostBytesOfText) return no_allocation("it is too large").in_file(path);
  std::string text(static_cast<std::size_t>(file.size()), '\0');
  PBATCH_RETURN_IF_ERROR(file.read(0, file.size(), text.data()));
  Result<BitAllocation> allocation = parse_allocation(text);
  if (!allocation) return allocation.status().in_file(path);
  return allocation;
}

}  // namespace pbatch
