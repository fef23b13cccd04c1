#!/usr/bin/env python3
"""Cases of cases.py in pbatch and ONNX Runtime; one line for each that differs.

    python3 fuzz/differential/run_cases.py build/release/cli/pbatch [PATTERN]
"""
import re
import sys

from beside import difference, onnxruntime_outputs, pbatch_outputs
from cases import all_cases


def main():
    pbatch, pattern = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else ""
    counts = {"same": 0, "different": 0, "refused": 0}
    for name, model, feeds, tolerance in all_cases():
        if not re.search(pattern, name):
            continue
        ours = pbatch_outputs(pbatch, model, feeds)
        if isinstance(ours, str):
            counts["refused"] += 1
            print(f"{name}: {ours}")
            continue
        worst = difference(ours, onnxruntime_outputs(model, feeds))
        counts["same" if worst <= tolerance else "different"] += 1
        if worst > tolerance:
            print(f"{name}: differs by {worst:.3g}")
    print(", ".join(f"{n} {k}" for k, n in counts.items()))
    sys.exit(counts["different"] != 0)


main()
