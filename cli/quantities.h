// Shares, times and sizes as the command line spells them.
#pragma once

#include <string>

namespace pbatch::cli {

/// "1%" or "0.01": a share above 0. Throws CLI::ValidationError, naming `option`, as the others do.
double parse_share(const std::string& text, const std::string& option);
/// "300us", "1.5ms", "2s": microseconds.
double parse_microseconds(const std::string& text, const std::string& option);
/// "2MB", "500kB", "1GB" by powers of 1000, "2MiB" by powers of 1024, "4096": bytes.
double parse_bytes(const std::string& text, const std::string& option);

}  // namespace pbatch::cli
