// Which output of a network goes into which input, told from names and shapes.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "pbatch/network.h"

namespace pbatch {

/// For each input the index of the output that belongs to it, or nothing where that is not clear;
/// no output twice. Types must be equal and shapes agree where both are fixed. First go those
/// whose names are the same but for words such as "in" and "out", "prev" and "next" ("h_in" and
/// "h_out", "h0" and "hn", "initial_c" and "Y_c"); then those that fit by shape and no others do.
std::vector<std::optional<std::size_t>> match_ports(const std::vector<PortInfo>& inputs,
                                                    const std::vector<PortInfo>& outputs);

/// Whether the name of an output that fits says that it becomes this input: the same but for such
/// words, and more than such words.
bool is_state_by_name(const PortInfo& input, const std::vector<PortInfo>& outputs);

}  // namespace pbatch
