// Bytes become a bit allocation; what is read must be read again from what is written of it.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "format/bit_allocation.h"
#include "format/tensor_name.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(data, data + size);
  const pbatch::Result<pbatch::BitAllocation> read = pbatch::parse_allocation(text);
  if (read) {
    const auto again = pbatch::parse_allocation(pbatch::allocation_json(*read));
    if (!again || again->layers != read->layers) std::abort();
  }
  const std::string name = pbatch::printable_utf8(text);
  if (pbatch::printable_utf8(name) != name) std::abort();
  return 0;
}
