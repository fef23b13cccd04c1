#!/bin/sh
# exports.sh LIBRARY [EXPECTED]
# Prints what the shared library exports, or compares it with the list EXPECTED. After a change of
# the public interface that is meant: exports.sh LIBRARY > tests/lint/exports.txt
set -eu
list() {
  nm -D --defined-only "$1" | awk '$2 != "A" { print $3 }' | sed 's/@.*//' | c++filt |
    LC_ALL=C sort -u
}
if [ $# -eq 1 ]; then
  list "$1"
else
  list "$1" | diff -u "$2" -
fi
