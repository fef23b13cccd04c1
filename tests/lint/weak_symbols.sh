#!/bin/sh
# weak_symbols.sh BUILD_DIR     (NM=...: the nm of a cross build)
# An object compiled for a newer instruction set must define no weak symbol: the linker may keep
# that copy of a shared inline function for the whole program, which then dies on an older CPU.
set -eu
objects=$(find "$1/CMakeFiles/pbatch_kernel.dir/src/kernel" -mindepth 2 -name '*.o' \
               ! -path '*/generic/*' | sort)
if [ -z "$objects" ]; then
  case $(uname -m) in
    x86_64 | aarch64) echo "no kernel objects under $1: build first" >&2; exit 1 ;;
    *) echo "no kernels above the generic ones on $(uname -m)"; exit 0 ;;
  esac
fi
failed=0
count=0
for object in $objects; do
  # DW.ref.* is a pointer for unwinding, which sanitizers bring; it is no code.
  weak=$("${NM:-nm}" --defined-only "$object" | awk '$2 ~ /^[WwVvu]$/ && $3 !~ /^DW[.]ref[.]/ { print $3 }')
  if [ -n "$weak" ]; then
    echo "$object defines weak symbols:" >&2
    echo "$weak" | c++filt >&2
    failed=1
  fi
  count=$((count + 1))
done
echo "$count objects looked at"
exit $failed
