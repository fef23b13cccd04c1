#!/bin/sh
# Builds the GPU kernels for the GPU at hand, compares them with the CPU's reference and the emulated
# device, then measures them, whole networks, copies, cuBLAS and a plain float16 GEMV. Needs CMake,
# Ninja, a C++ compiler and CUDA, nothing else.
#
#   bench/gpu/run.sh OUT_DIR
#
# Writes gpu.json, build.log and, where compute-sanitizer is at hand, sanitizer.log. gpu.json ends with
# a row for each target. The exit status is 1 if a result was wrong or the sanitizer found an error;
# nothing is measured then. From the environment: BUILD (default build/gpu), SANITIZE=0 leaves
# compute-sanitizer out. Takes less than 8 minutes with 16 cores.
set -eu
if [ $# -ne 1 ]; then sed -n '2,/^set/{s/^# \{0,1\}//p;}' "$0" >&2; exit 2; fi
root=$(cd "$(dirname "$0")/../.." && pwd)
build=${BUILD:-$root/build/gpu}
out=$1
mkdir -p "$out"
PATH=$PATH:/usr/local/cuda/bin
export PATH

{
  cmake -S "$root" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DPBATCH_KERNELS_ONLY=ON \
    -DPBATCH_CUDA=ON -DPBATCH_BUILD_TESTS=OFF -DCMAKE_CUDA_ARCHITECTURES=native
  cmake --build "$build" --target pbatch_gpu_bench
} >"$out/build.log" 2>&1 || { tail -n 30 "$out/build.log" >&2; exit 1; }

bench=$build/bench/gpu/pbatch_gpu_bench
"$bench" check --seconds 20
if [ "${SANITIZE:-1}" = 1 ] && command -v compute-sanitizer >/dev/null; then
  : >"$out/sanitizer.log"
  for tool in memcheck racecheck; do
    status=0
    timeout 90 compute-sanitizer --tool $tool --error-exitcode 77 "$bench" check --seconds 0 \
      >>"$out/sanitizer.log" 2>&1 || status=$?
    case $status in
      0) echo "compute-sanitizer $tool: clean" ;;
      77) echo "compute-sanitizer $tool: errors, see sanitizer.log" >&2; exit 1 ;;
      # On some virtual machines the tool itself does not run.
      *) echo "compute-sanitizer $tool: did not run to its end (status $status)" ;;
    esac
  done
fi
"$bench" measure --json "$out/gpu.json"
