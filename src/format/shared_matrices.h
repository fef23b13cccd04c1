// Matrices of models that are loaded more than once.
#pragma once

#include <memory>
#include <string>

#include "layout/bit_matrix.h"

namespace pbatch {

/// The matrix that stands for `made` and all of the same `key`: one that somebody still holds, if
/// its shape and scales are the same, else `made`. Key: where the planes come from, file and names.
/// So networks of one file read its planes once and share what is prepared of them. Thread-safe.
std::shared_ptr<const BitMatrix> shared_matrix(const std::string& key,
                                               std::shared_ptr<const BitMatrix> made);

}  // namespace pbatch
