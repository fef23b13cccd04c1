// How important each layer is by how much it differs from the others.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "calibrate/network_runner.h"
#include "tools/allocate/layer_items.h"
#include "tools/eval/contender.h"

namespace pbatch {

/// What layers made in each of n runs, a row of numbers a run: features[layer][run].
using Features = std::vector<std::vector<std::vector<float>>>;

/// The importance of each layer of a network, in the order of the layers, by OMPQ (Ma et al., AAAI
/// 2023): with the orthogonality of two layers |F_i' F_j|^2 / (|F_i' F_i| |F_j' F_j|), 1 for
/// features of one direction and 0 for orthogonal ones, gamma_i the sum of that over all other
/// layers and theta_i = exp(-gamma_i), the mean of theta over the layer and all behind it. Relative
/// to the greatest one.
std::vector<double> importance_of(const Features& features);

/// That of the layers of a network that runs on `sets`, by name. A table, which multiplies nothing,
/// is as important as the most important layer; layers that do not run are not at all. Errors of
/// the runs.
Result<std::map<std::string, double>> layer_importance(NetworkRunner& runner,
                                                       const InputSets& sets);

/// Fills in LayerChoice::squared_error without a run: importance times 4^-bits, for each bit halves
/// the error of a layer.
void set_errors_by_importance(const std::map<std::string, double>& importance,
                              std::vector<LayerItem>& items);

}  // namespace pbatch
