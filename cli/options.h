// The parser of the command line: CLI11, which no other file includes.
#pragma once

#include <CLI/CLI.hpp>
