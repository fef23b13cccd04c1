#!/bin/sh
# run_isas.sh BUILD_DIR
# Runs the kernel and packing tests on this CPU, on older x86 CPUs and on aarch64 CPUs with and
# without SDOT (qemu-user), and prints how many tests ran and were skipped on each. A missing tool
# is named, and is no failure.
set -eu
unset PBATCH_ISA
build=$1
source_dir=$(cd "$(dirname "$0")/../.." && pwd)
log=$build/run_isas.log
failed=0

# run NAME COMMAND...: one test program on one CPU. Where $lacks is set, the skipped tests must
# lack just that ISA, or nothing if it is empty.
run() {
  name=$1
  shift
  status=0
  "$@" --gtest_color=no >"$log" 2>&1 || status=$?
  total=$(sed -n 's/^\[=*\] \([0-9]*\) tests* from .* ran\..*/\1/p' "$log")
  skipped=$(sed -n 's/^\[  SKIPPED \] \([0-9]*\) tests*, listed below.*/\1/p' "$log")
  if [ "$status" -ne 0 ] || [ -z "$total" ]; then
    cat "$log"
    echo "$name: FAILED (exit status $status)"
    failed=1
    return
  fi
  echo "$name: $((total - ${skipped:-0})) ran, ${skipped:-0} skipped"
  if [ -n "${lacks+set}" ]; then
    lacking=$(sed -n 's/^.*this CPU lacks \(.*\)$/\1/p' "$log" | sort -u | tr '\n' ' ')
    if [ "$lacking" != "${lacks:+$lacks }" ]; then
      echo "$name: FAILED: lacks '$lacking', expected '$lacks'"
      failed=1
    fi
  fi
  # What the skipped tests lack, each once.
  sed -n 's/^.*\(this CPU lacks .*\)$/  \1/p' "$log" | sort | uniq -c |
    sed 's/^ *\([0-9]*\)  *\(.*\)$/  \1 skipped: \2/'
}

# run_both CPU DIR COMMAND...: the kernel and the packing tests of a build folder.
run_both() {
  cpu_name=$1
  dir=$2
  shift 2
  run "$cpu_name, kernel" "$@" "$dir/tests/kernel_test"
  run "$cpu_name, layout" "$@" "$dir/tests/layout_test"
}

run_both "this CPU" "$build"

if [ "$(uname -m)" = x86_64 ]; then
  if command -v qemu-x86_64 >/dev/null; then
    for cpu in Penryn Nehalem Haswell; do
      run_both "$cpu" "$build" qemu-x86_64 -cpu "$cpu"
    done
  else
    echo "Penryn, Nehalem, Haswell: skipped: qemu-x86_64 (package qemu-user)"
  fi
fi

missing=
command -v aarch64-linux-gnu-g++ >/dev/null || missing="$missing g++-aarch64-linux-gnu"
command -v qemu-aarch64 >/dev/null || missing="$missing qemu-user"
[ -e /usr/src/googletest/CMakeLists.txt ] || missing="$missing googletest"
if [ -n "$missing" ]; then
  echo "aarch64: skipped: packages missing:$missing"
else
  cross=$build/aarch64
  # A CPU of qemu and the ISA it lacks.
  run_aarch64() {
    lacks=$2
    emulator="qemu-aarch64 -cpu $1 -L /usr/aarch64-linux-gnu"
    run "aarch64 $1, kernel" $emulator "$cross/tests/kernel_test"
    unset lacks
    run "aarch64 $1, layout" $emulator "$cross/tests/layout_test"
    # A death test starts the program anew, which the kernel cannot.
    run "aarch64 $1, isa" $emulator "$cross/tests/isa_test" --gtest_filter='-*DeathTest*'
  }
  if cmake -S "$source_dir" -B "$cross" -DCMAKE_TOOLCHAIN_FILE="$source_dir/cmake/aarch64.cmake" \
       -DCMAKE_BUILD_TYPE=Release -DPBATCH_KERNELS_ONLY=ON -DPBATCH_BUILD_TESTS=ON \
       -DPBATCH_WERROR=ON >"$log" 2>&1 &&
     cmake --build "$cross" --parallel 2 --target kernel_test layout_test isa_test >"$log" 2>&1
  then
    NM=aarch64-linux-gnu-nm "$source_dir/tests/lint/weak_symbols.sh" "$cross" || failed=1
    run_aarch64 cortex-a72 neon_dot
    run_aarch64 cortex-a76 ""
  else
    cat "$log"
    echo "aarch64: FAILED to build"
    failed=1
  fi
fi
rm -f "$log"
exit $failed
