#!/usr/bin/env python3
"""Networks of random weights beside ONNX Runtime: where the time of products and of recurrent steps shows.

    VENV/bin/python bench/networks/synthetic.py

An LSTM of 512 units over 50 steps, one of 2048 for one step, 784-4096-4096-10 with Relu, and single products
for one or more vectors: one thread, medians. ONNX Runtime runs the float network and its dynamic int8 form (QInt8 weights), before and
after pbatch. Printed are times over ONNX Runtime's int8; below 1 is faster. Needs numpy, onnx and
onnxruntime.
"""

import argparse
import json
import logging
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "scripts"))
import pages  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
WIDTHS = ((8, 8), (8, 16), (4, 8), (4, 16))


def save(nodes, constants, shape, output, path) -> None:
    graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
                              [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)],
                              [numpy_helper.from_array(value, name) for name, value in constants.items()])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8), path)


def weights(random, *shape) -> np.ndarray:
    return (random.standard_normal(shape) / np.sqrt(shape[-1])).astype(np.float32)


def lstm(units, steps, path, random) -> np.ndarray:
    constants = {"W": weights(random, 1, 4 * units, units), "R": weights(random, 1, 4 * units, units)}
    node = helper.make_node("LSTM", ["x", "W", "R"], ["y"], hidden_size=units, name="lstm")
    save([node], constants, [steps, 1, units], "y", path)
    return random.standard_normal((steps, 1, units)).astype(np.float32)


def perceptron(sizes, path, random, batch=1) -> np.ndarray:
    nodes, constants, x = [], {}, "x"
    for i, (inputs, outputs) in enumerate(zip(sizes, sizes[1:])):
        constants[f"w{i}"] = weights(random, outputs, inputs).T.copy()
        nodes.append(helper.make_node("MatMul", [x, f"w{i}"], [f"m{i}"], name=f"fc{i}"))
        x = f"m{i}"
        if i + 2 < len(sizes):
            nodes.append(helper.make_node("Relu", [x], [f"r{i}"]))
            x = f"r{i}"
    save(nodes, constants, [batch, sizes[0]], x, path)
    return random.random((batch, sizes[0])).astype(np.float32)


def median_us(path, x, seconds) -> float:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    for _ in range(3):
        session.run(None, {"x": x})
    times, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        session.run(None, {"x": x})
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1e6


def measure(name, make, options, folder) -> None:
    path, int8 = folder / f"{name}.onnx", folder / f"{name}.int8.onnx"
    x = make(path)
    np.save(folder / "x.npy", x)
    quantize_dynamic(path, int8, weight_type=QuantType.QInt8)
    model, result = folder / f"{name}.q.onnx", folder / "result.json"
    run = lambda *a: subprocess.run([options.pbatch, *map(str, a)], check=True, capture_output=True)
    run("quantize", path, "-o", model, "--scheme", "plain")
    before = [median_us(p, x, options.seconds) for p in (path, int8)]
    run("compare", model, "--float", path, "--input", f"x={folder}/x.npy", "--bits", "8,4", "--abits", "8,16",
        "--threads", 1, "--seconds", options.seconds, "--json", result)
    after = [median_us(p, x, options.seconds) for p in (path, int8)]
    floats, bytes_ = ((b + a) / 2 for b, a in zip(before, after))
    rows = {(r["weight_bits"], r["activation_bits"]): r["latency_us"]
            for r in json.loads(result.read_text())["results"]}
    cells = [f"{rows[width] / bytes_:.2f}" for width in WIDTHS]
    print(pages.line([name, f"{floats:.0f}", f"{bytes_:.0f}", f"{rows[(32, 32)] / bytes_:.2f}", *cells]), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--pbatch", default=str(HERE.parents[1] / "build/release/cli/pbatch"))
    parser.add_argument("--seconds", type=float, default=0.5, help="timed work per row, about")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    random = np.random.default_rng(1)
    print(f"ONNX Runtime {onnxruntime.__version__}, one thread\n")
    print(pages.head(["network", "ONNX Runtime float, µs", "int8, µs", "float", *(f"w{w}/A{a}" for w, a in WIDTHS)]))
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        measure("LSTM 512, 50 steps", lambda p: lstm(512, 50, p, random), options, folder)
        measure("LSTM 2048, 1 step", lambda p: lstm(2048, 1, p, random), options, folder)
        measure("784-4096-4096-10", lambda p: perceptron((784, 4096, 4096, 10), p, random), options, folder)
        for size, batch in ((1024, 1), (4096, 1), (4096, 16), (4096, 64), (1024, 512)):
            measure(f"{size}x{size}, {batch} vector{'s' * (batch > 1)}",
                    lambda p: perceptron((size, size), p, random, batch), options, folder)


if __name__ == "__main__":
    main()
