#!/bin/sh
# All measurements behind docs/results.md: products of bit-layers beside oneDNN and OpenBLAS, hot and
# cold, with every instruction set that runs here, and ONNX Runtime on the same matrices.
#
#   bench/run_kernels.sh OUT_DIR
#
# Writes hot.json, cold.json, <isa>.json for the older instruction sets, and, where PYTHON (an
# interpreter with bench/peers/requirements.txt installed) is given, peers-hot.json, peers-cold.json.
# From the environment: PBATCH (default build/release/cli/pbatch), PYTHON, SECONDS_PER_ROW (0.2).
# Takes about half an hour; nothing else should run on the machine.
set -eu
if [ $# -ne 1 ]; then sed -n '2,/^set/{s/^# \{0,1\}//p;}' "$0" >&2; exit 2; fi
here=$(cd "$(dirname "$0")" && pwd)
out=$1
pbatch=${PBATCH:-$here/../build/release/cli/pbatch}
seconds=${SECONDS_PER_ROW:-0.2}
shapes=4096x4096,8192x2048,1024x1024,4096x784,10x4096
mkdir -p "$out"

"$pbatch" bench --gemv $shapes --bits 1:8 --abits 8,16,32 --batch 1,4,16,64,512 --threads 1,2 \
  --seconds "$seconds" --json "$out/hot.json"
"$pbatch" bench --gemv $shapes --bits 1:8 --abits 8,16,32 --threads 1,2 --cold \
  --seconds "$seconds" --json "$out/cold.json"
for isa in avxvnni avx2 generic; do
  # One that cannot run here is refused.
  if PBATCH_ISA=$isa "$pbatch" bench --gemv 16x32 --bits 1 --no-peers --seconds 0 >/dev/null 2>&1; then
    PBATCH_ISA=$isa "$pbatch" bench --gemv 4096x4096,1024x1024 --bits 1:8 --abits 8,16,32 \
      --batch 1,16 --threads 1 --seconds "$seconds" --json "$out/$isa.json"
  fi
done
if [ -n "${PYTHON:-}" ]; then
  for how in hot cold; do
    option=$([ $how = hot ] || echo --cold)
    # shellcheck disable=SC2086  # the option may be no word at all
    "$PYTHON" "$here/peers/run.py" --gemv 4096x4096,8192x2048,1024x1024 --abits 8,16 --threads 1,2 $option \
      --pbatch "$pbatch" --seconds "$seconds" --json "$out/peers-$how.json"
  done
fi
