#include "tools/io/array_file.h"

#include <cstring>

#include "tools/io/idx.h"
#include "tools/io/npy.h"

namespace pbatch {

Result<ArrayFile> read_array(const std::string& path) {
  PBATCH_ASSIGN_OR_RETURN(ByteSource source, ByteSource::open(path));
  unsigned char magic[6];
  PBATCH_RETURN_IF_ERROR(source.read(magic, 4));
  if (magic[0] == 0 && magic[1] == 0) {
    PBATCH_ASSIGN_OR_RETURN(Tensor tensor, read_idx_after_magic(source, magic[2], magic[3]));
    return ArrayFile{std::move(tensor), true};
  }
  if (std::memcmp(magic, "\x93NUM", 4) == 0) {
    PBATCH_RETURN_IF_ERROR(source.read(magic + 4, 2));
    if (std::memcmp(magic + 4, "PY", 2) == 0) {
      PBATCH_ASSIGN_OR_RETURN(Tensor tensor, read_npy_after_magic(source));
      return ArrayFile{std::move(tensor), false};
    }
  }
  return Status(ErrorCode::malformed, "it is neither a .npy nor an IDX file",
                "write it with numpy.save")
      .in_file(path);
}

}  // namespace pbatch
