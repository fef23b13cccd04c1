#!/usr/bin/env python3
"""The share of a product's time that outliers take, on matrices of Student's t.

    python3 -m venv VENV && VENV/bin/pip install numpy onnx
    VENV/bin/python bench/quality/outlier_time.py [--pbatch build/release/cli/pbatch] [--bits 4] [--abits 8] [--outliers 0.001]

For each size and batch, one matrix with outliers kept apart and the same one without, timed in turn by `pbatch compare` on one
thread: the median and the least of the ratios, and how many bits a weight the outliers take.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "scripts"))
import pages  # noqa: E402


def network(size: int, batch: int) -> onnx.ModelProto:
    weights = np.random.default_rng(1).standard_t(3, (size, size)).astype(np.float32)
    port = lambda name: helper.make_tensor_value_info(name, TensorProto.FLOAT, [batch, size])
    graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "tails", [port("x")], [port("y")],
                              [numpy_helper.from_array(weights, "w")])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--pbatch", default="build/release/cli/pbatch")
    parser.add_argument("--sizes", default="256,512,1024,2048,4096")
    parser.add_argument("--batches", default="1,16")
    parser.add_argument("--bits", type=int, default=4)
    parser.add_argument("--abits", type=int, default=8)
    parser.add_argument("--outliers", default="0.001")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", default="0.05", help="timed work of each run, about")
    args = parser.parse_args()
    print(pages.head(["rows x cols", "batch", "without, µs", "with: median", "least", "outliers, bits a weight"]))
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)

        def call(*arguments) -> None:
            subprocess.run([args.pbatch, *map(str, arguments)], check=True, capture_output=True)

        def measure(model: pathlib.Path) -> float:
            call("compare", model, "--float", folder / "net.onnx", "--bits", args.bits, "--abits", args.abits, "--threads", 1,
                 "--seconds", args.seconds, "--json", folder / "times.json")
            results = json.loads((folder / "times.json").read_text())["results"]
            return next(r["latency_us"] for r in results if r["weight_bits"] == args.bits)

        for size in map(int, args.sizes.split(",")):
            for batch in map(int, args.batches.split(",")):
                onnx.save(network(size, batch), folder / "net.onnx")
                taken = 0
                for share in ("0", args.outliers):
                    call("quantize", folder / "net.onnx", "-o", folder / f"q{share}.onnx", "--outliers", share, "--no-advice",
                         "--floor", 1, "--json", folder / "report.json")
                    taken = sum(l["outliers"] for l in json.loads((folder / "report.json").read_text())["layers"])
                pairs = [(measure(folder / "q0.onnx"), measure(folder / f"q{args.outliers}.onnx")) for _ in range(args.rounds)]
                ratios = [with_them / without for without, with_them in pairs]
                print(pages.line([f"{size} x {size}", str(batch), f"{min(p[0] for p in pairs):.1f}",
                                  f"{statistics.median(ratios) - 1:+.1%}",
                                  f"{min(p[1] for p in pairs) / min(p[0] for p in pairs) - 1:+.1%}",
                                  f"{64 * taken / size**2:.3f}"]), flush=True)


if __name__ == "__main__":
    main()
