// The model file: an ONNX graph and its safetensors data (docs/model-file.md).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "graph/graph.h"
#include "pbatch/model_bytes.h"
#include "pbatch/status.h"

namespace pbatch {

/// Versions of the format; a reader refuses any other. A model that can be of the first is, so that
/// earlier readers take it. Of the second are those with convolutions whose columns have an order
/// of their own (kColumnOrder), of the third those with a matrix that has outliers.
inline constexpr const char* kFormatVersion = "1";
inline constexpr const char* kFormatVersionOfOrders = "2";
inline constexpr const char* kFormatVersionOfOutliers = "3";

/// Whether `path` may become a model: it ends in .onnx, its folder can be written,
/// and neither it nor its data file is one of `sources`. Called before long work.
Status check_model_path(const std::string& path, std::span<const std::string> sources);

struct SavedModel {
  std::string model_path, data_path;
  std::int64_t model_bytes = 0, data_bytes = 0;
};

/// Writes `graph`, whose pbatch nodes have their matrix, as `path` and the same
/// name with .safetensors. An error leaves neither, and older files as they were.
/// `source_path`: the float network it came from, recorded with its checksum;
/// empty for none. Paths that check_model_path() refuses, for that
/// network and the files of `graph`, are refused.
Result<SavedModel> save_model(const Graph& graph, const std::string& path,
                              const std::string& source_path);

/// The same as bytes instead of files. Records no source.
Result<ModelBytes> encode_model(const Graph& graph);

/// Reads a float ONNX network or a pbatch model, told apart by content. Nodes
/// of a pbatch model have their matrix, with the planes that the data file
/// holds; checksums of constants and scales are checked here, those of planes
/// by BitMatrix::verify_planes.
Result<Graph> load_model(const std::string& path);
/// The same from memory, which is read during the call only. `data`: of the .safetensors file;
/// empty for a float network, whose weights must be inside.
Result<Graph> load_model_bytes(std::string_view model, std::string_view data);

/// Path of the float network that a model was made from, if the model records
/// one and a file of the recorded checksum is there; else empty. Reads that file.
std::string float_source_of(const Graph& graph);

}  // namespace pbatch
