#include "tools/io/token_streams.h"

#include <algorithm>
#include <utility>

#include "feed/convert.h"
#include "tools/io/array_file.h"
#include "tools/io/byte_source.h"
#include "tools/io/text_file.h"

namespace pbatch {
namespace {

struct TokenFile {
  std::vector<std::int64_t> tokens;
  std::int64_t rows = 0;  // of an array of two dimensions
};

bool is_integer(DType type) {
  return type != DType::f32 && type != DType::f64 && type != DType::f16 && type != DType::bf16 &&
         type != DType::boolean;
}

// An array file starts with a byte that text does not.
Result<bool> starts_as_array(const std::string& path) {
  PBATCH_ASSIGN_OR_RETURN(ByteSource source, ByteSource::open(path));
  char first = 0;
  PBATCH_ASSIGN_OR_RETURN(const std::size_t got, source.read_some(&first, 1));
  return got == 1 && (first == '\0' || first == '\x93');
}

Result<TokenFile> read_tokens(const std::string& path) {
  TokenFile file;
  PBATCH_ASSIGN_OR_RETURN(const bool array, starts_as_array(path));
  if (!array) {
    PBATCH_ASSIGN_OR_RETURN(const std::string text, read_text_file(path));
    PBATCH_RETURN_IF_ERROR(parse_integers(text, &file.tokens));
    return file;
  }
  PBATCH_ASSIGN_OR_RETURN(const ArrayFile array_file, read_array(path));
  const Tensor& t = array_file.tensor;
  if (!is_integer(t.dtype()) || t.rank() > 2) {
    return Status(ErrorCode::invalid_argument,
                  std::string("it holds ") + dtype_name(t.dtype()) + " " +
                      shape_to_string(t.shape()) + " where tokens are expected",
                  "give integers of one dimension, or of two with a stream in each row");
  }
  PBATCH_ASSIGN_OR_RETURN(const Tensor tokens, convert_tensor(t, DType::i64));
  const auto values = tokens.span<std::int64_t>();
  file.tokens.assign(values.begin(), values.end());
  if (t.rank() == 2) file.rows = t.dim(0);
  return file;
}

Result<TokenStreams> cut(TokenFile file, std::int64_t streams) {
  if (file.rows > 0 && streams > 0 && streams != file.rows) {
    return Status(ErrorCode::invalid_argument,
                  "it holds " + std::to_string(file.rows) + " streams, one in each row, not " +
                      std::to_string(streams),
                  "leave --streams out");
  }
  TokenStreams result;
  result.streams = file.rows > 0 ? file.rows : std::max<std::int64_t>(streams, 1);
  const auto count = static_cast<std::int64_t>(file.tokens.size());
  result.length = count / result.streams;
  if (result.length < 2) {
    return Status(
        ErrorCode::invalid_argument,
        "it holds " + std::to_string(count) + " tokens, which leaves nothing to predict in " +
            std::to_string(result.streams) + (result.streams == 1 ? " stream" : " streams"),
        "give 2 tokens or more for each stream");
  }
  result.tokens = std::move(file.tokens);
  result.tokens.resize(static_cast<std::size_t>(result.streams * result.length));
  return result;
}

}  // namespace

void TokenStreams::limit(std::int64_t new_length) {
  if (new_length <= 0 || new_length >= length) return;
  for (std::int64_t s = 1; s < streams; ++s) {
    std::copy_n(tokens.begin() + s * length, new_length, tokens.begin() + s * new_length);
  }
  length = new_length;
  tokens.resize(static_cast<std::size_t>(streams * length));
}

Result<TokenStreams> read_token_streams(const std::string& path, std::int64_t streams) {
  auto file = read_tokens(path);
  if (!file) return file.status().in_file(path);
  auto result = cut(std::move(file).value(), streams);
  if (!result) return result.status().in_file(path);
  return result;
}

}  // namespace pbatch
