#include "feed/free_dims.h"

#include <algorithm>
#include <optional>
#include <random>
#include <utility>

namespace pbatch {
namespace {

constexpr std::int64_t kSizes[] = {2,   3,   4,   8,   10,  16,   32,   64,
                                   128, 224, 256, 512, 640, 1024, 16000};
constexpr int kMixtures = 40;

std::string trimmed(const std::string& text) {
  const std::size_t begin = text.find_first_not_of(' ');
  if (begin == std::string::npos) return {};
  return text.substr(begin, text.find_last_not_of(' ') - begin + 1);
}

std::optional<std::int64_t> number(const std::string& text) {
  if (text.empty() || text.size() > 9) return std::nullopt;
  std::int64_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  return value;
}

// The terms of a sum, or the name alone.
std::vector<std::string> terms_of(const std::string& name) {
  std::vector<std::string> terms;
  for (std::size_t begin = 0; begin <= name.size();) {
    const std::size_t end = std::min(name.find('+', begin), name.size());
    terms.push_back(trimmed(name.substr(begin, end - begin)));
    begin = end + 1;
  }
  return terms;
}

}  // namespace

std::vector<std::int64_t> sizes_read_by(const std::vector<LayerInfo>& layers) {
  constexpr std::size_t kMost = 16;
  std::vector<std::int64_t> sizes;
  for (const LayerInfo& layer : layers) {
    const bool is_new = std::find(sizes.begin(), sizes.end(), layer.cols) == sizes.end();
    if (is_new && sizes.size() < kMost) sizes.push_back(layer.cols);
  }
  return sizes;
}

FreeDims::FreeDims(const std::vector<PortInfo>& inputs, const std::map<std::string, Shape>& given,
                   std::int64_t batch, std::vector<std::int64_t> likely)
    : given_(given), likely_(std::move(likely)) {
  for (const PortInfo& port : inputs) {
    const auto it = given_.find(port.name);
    if (it == given_.end()) continue;
    for (std::size_t d = 0; d < std::min(port.shape.size(), it->second.size()); ++d) {
      if (port.shape[d] < 0) bound_.emplace(name_of(port, d), it->second[d]);
    }
  }
  for (const PortInfo& port : inputs) {
    if (port.optional || given_.count(port.name) != 0) continue;
    for (std::size_t d = 0; d < port.shape.size(); ++d) {
      if (port.shape[d] >= 0) continue;
      const std::string name = name_of(port, d);
      if (bound_.count(name) != 0) continue;
      for (const std::string& term : terms_of(name)) {
        if (number(term) || bound_.count(term) != 0) continue;
        if (std::find(names_.begin(), names_.end(), term) == names_.end()) names_.push_back(term);
        is_first_[term] = is_first_[term] || (d == 0 && port.shape.size() > 1);
      }
    }
  }
  if (batch == 0) return;
  std::erase_if(names_, [&](const std::string& name) {
    if (is_first_.at(name)) bound_.emplace(name, batch);
    return is_first_.at(name);
  });
}

std::string FreeDims::name_of(const PortInfo& port, std::size_t d) const {
  if (d < port.dim_names.size() && !port.dim_names[d].empty()) return port.dim_names[d];
  return d == 0 && port.shape.size() > 1 ? "first" : port.name + "[" + std::to_string(d) + "]";
}

std::int64_t FreeDims::size_of(const std::string& name, const Sizes& sizes) const {
  if (const auto it = bound_.find(name); it != bound_.end()) return it->second;
  std::int64_t sum = 0;
  for (const std::string& term : terms_of(name)) {
    const auto chosen = sizes.find(term);
    const auto bound = bound_.find(term);
    sum += chosen != sizes.end()   ? chosen->second
           : bound != bound_.end() ? bound->second
                                   : number(term).value_or(1);
  }
  return sum;
}

Shape FreeDims::shape(const PortInfo& port, const Sizes& sizes) const {
  if (const auto it = given_.find(port.name); it != given_.end()) return it->second;
  Shape shape = port.shape;
  for (std::size_t d = 0; d < shape.size(); ++d) {
    if (shape[d] < 0) shape[d] = size_of(name_of(port, d), sizes);
  }
  return shape;
}

std::string FreeDims::describe(const Sizes& sizes) const {
  std::string text;
  for (const std::string& name : names_) {
    text += (text.empty() ? "" : ", ") + name + "=" + std::to_string(sizes.at(name));
  }
  return text;
}

std::vector<FreeDims::Sizes> FreeDims::candidates() const {
  std::vector<Sizes> all;
  const auto add = [&](std::int64_t first, std::int64_t other) {
    Sizes sizes;
    for (const std::string& name : names_) sizes[name] = is_first_.at(name) ? first : other;
    if (std::find(all.begin(), all.end(), sizes) == all.end()) all.push_back(std::move(sizes));
  };
  add(1, 1);
  for (const std::int64_t size : kSizes) add(1, size);
  // One of them large: sound beside a state, say, whose items are one.
  for (const std::string& large : names_) {
    for (const std::int64_t size : kSizes) {
      Sizes sizes;
      for (const std::string& name : names_) sizes[name] = name == large ? size : 1;
      if (std::find(all.begin(), all.end(), sizes) == all.end()) all.push_back(std::move(sizes));
    }
  }
  for (const std::int64_t size : kSizes) {
    if (size <= 64) add(size, size);
  }
  std::mt19937 random(1);
  for (int i = 0; i < kMixtures && names_.size() > 1; ++i) {
    Sizes sizes;
    for (const std::string& name : names_) {
      const unsigned pick = random() % 8;
      sizes[name] = pick == 0 ? 1 : kSizes[pick - 1];
    }
    all.push_back(std::move(sizes));
  }
  for (const std::int64_t size : likely_) add(1, size);
  return all;
}

}  // namespace pbatch
