#include "integer/c_writer.h"

#include <utility>

namespace pbatch {
namespace {

std::string list(const std::int32_t* numbers, int count) {
  std::string text = "{";
  for (int i = 0; i < count; ++i) text += (i == 0 ? "" : ", ") + std::to_string(numbers[i]);
  return text + "}";
}

}  // namespace

std::string CWriter::declare(const std::string& type, const std::string& numbers,
                             std::size_t count) {
  const auto [at, is_new] = arrays_.emplace(std::pair(type, numbers), "");
  if (is_new) {
    at->second = "a" + std::to_string(next_++);
    declarations_ += "static const " + type + " " + at->second + "[" + std::to_string(count) +
                     "] = {\n" + numbers + "};\n";
  }
  return at->second;
}

std::string CWriter::of(pb_dyadic d) {
  return "{" + std::to_string(d.multiplier) + ", " + std::to_string(d.shift) + "}";
}

std::string CWriter::of(const pb_windows& w) {
  return "{" + std::to_string(w.batch) + ", " + std::to_string(w.channels) + ", " + list(w.in, 3) +
         ", " + list(w.out, 3) + ", " + list(w.kernel, 3) + ", " + list(w.strides, 3) + ", " +
         list(w.dilations, 3) + ", " + list(w.pads, 3) + "}";
}

std::string CWriter::array(const std::vector<pb_dyadic>& numbers) {
  if (numbers.empty()) return "0";
  std::string text;
  for (const pb_dyadic d : numbers) text += "    " + of(d) + ",\n";
  return declare("pb_dyadic", text, numbers.size());
}

std::string CWriter::structure(const std::string& type, const std::string& fields) {
  const std::string name = "s" + std::to_string(next_++);
  declarations_ += "static const " + type + " " + name + " = {" + fields + "};\n";
  return name;
}

// Without tiles: a device multiplies by the codes, which take n bits each or the next power of two.
std::string CWriter::product_fields(const IntegerProduct& product) {
  const pb_product& p = product.view;
  std::string fields;
  for (const std::int32_t number :
       {p.rows, p.cols, p.bits, p.levels, p.group, p.lo, p.hi, 0, p.narrow}) {
    fields += std::to_string(number) + ", ";
  }
  fields += (p.bits == 16 ? array(product.words) : array(product.bytes)) + ", 0, " +
            array(product.scales) + ", 0, 0, " + array(product.to_result) + ", " +
            array(product.bias);
  return "{" + fields + "}";
}

std::string CWriter::product(const IntegerProduct& product) {
  std::string& name = products_[&product];
  if (name.empty()) {
    const std::string fields = product_fields(product);
    name = structure("pb_product", fields.substr(1, fields.size() - 2));
  }
  return name;
}

}  // namespace pbatch
