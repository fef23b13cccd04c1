#!/usr/bin/env python3
"""The plug-in at 4 weight bits and 8-bit activations beside the library alone, ONNX Runtime's float and
its dynamic int8: one thread, medians of interleaved runs, a table in Markdown. Answers are checked first:
the plug-in gives the library's at 4 bits, and ONNX Runtime's float ones at 16.

    python ort/bench/plugin_speed.py [--seconds 3] [--only mlp,lstm,encoder]

Needs numpy, onnx, onnxruntime, precisionbatching and onnxruntime-ep-pbatch. Nothing else should run.
"""

import argparse
import datetime
import pathlib
import statistics
import sys
import tempfile
import time

import numpy as np
import onnx
import onnxruntime
from onnxruntime.quantization import QuantType, quantize_dynamic

import pbatch
import pbatch.ort

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "tests"))
import networks as small  # noqa: E402  (its Builder)

sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "scripts"))
import pages  # noqa: E402

onnxruntime.set_default_logger_severity(3)


def mlp():
    b = small.Builder(21)
    h = b.input("x", onnx.TensorProto.FLOAT, [1, 784])
    for i, (rows, cols) in enumerate(((784, 4096), (4096, 4096), (4096, 10))):
        h = b.linear(h, f"fc{i}", rows, cols)
        h = h if i == 2 else b.node("Relu", [h], f"r{i}")
    b.output(h, [1, 10])
    return b.model(), {"x": b.rng.standard_normal((1, 784)).astype(np.float32)}


def lstm(size=2048, steps=16):
    b = small.Builder(22)
    b.input("x", onnx.TensorProto.FLOAT, [steps, 1, size])
    b.weight("w", 1, 4 * size, size)
    b.weight("r", 1, 4 * size, size)
    b.weight("b", 1, 8 * size, scale=0.1)
    b.node("LSTM", ["x", "w", "r", "b"], ["y"], name="lstm", hidden_size=size)
    b.output("y", [steps, 1, 1, size])
    return b.model(), {"x": b.rng.standard_normal((steps, 1, size)).astype(np.float32)}


def encoder():
    """The sizes of MiniLM: 6 layers of 384, 12 heads, 30522 words; one sentence of 16 tokens."""
    network = small.encoder(layers=6, width=384, heads=12, words=30522, length=16)
    return network.model, {"ids": network.feeds["ids"][:1]}


NETWORKS = {"mlp": ("784-4096-4096-10", mlp), "lstm": ("LSTM 2048, 16 steps", lstm),
            "encoder": ("encoder of MiniLM's sizes, 16 tokens", encoder)}


def one_thread():
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return options


def contestants(model, folder):
    """Name -> a function of the feeds that runs the network once."""
    path, int8 = str(folder / "float.onnx"), str(folder / "int8.onnx")
    onnx.save(model, path)
    quantize_dynamic(path, int8, weight_type=QuantType.QInt8)
    _, planes = pbatch.quantize(path, str(folder / "planes.onnx"), scheme="plain")
    alone = pbatch.InferenceSession(planes, threads_of_one())
    exact = pbatch.RunOptions()
    for key, value in (("bits", "4"), ("abits", "8"), ("exact", "1")):
        exact.add_run_config_entry(f"pbatch.{key}", value)
    inside = onnxruntime.InferenceSession(path, pbatch.ort.register(one_thread(), bits=4, abits=8))
    cpu = ["CPUExecutionProvider"]
    as_float = onnxruntime.InferenceSession(path, one_thread(), providers=cpu)
    as_int8 = onnxruntime.InferenceSession(int8, one_thread(), providers=cpu)
    return {
        "plug-in w4/A8": lambda feeds: inside.run(None, feeds),
        "library w4/A8": lambda feeds: alone.run(None, feeds, exact),
        "ONNX Runtime float": lambda feeds: as_float.run(None, feeds),
        "ONNX Runtime int8": lambda feeds: as_int8.run(None, feeds),
    }


def threads_of_one():
    options = pbatch.SessionOptions()
    options.threads = 1
    return options


def error(given, wanted):
    """Relative L2 of the worst output."""
    return max(float(np.linalg.norm(a - b) / np.linalg.norm(b)) for a, b in zip(given, wanted, strict=True))


def check(model, runs, feeds):
    """Exits if an answer is wrong. Where ONNX Runtime computes the last nodes, its rounding is its own."""
    given = {name: run(feeds) for name, run in runs.items()}
    wanted = given["ONNX Runtime float"]
    options = pbatch.ort.register(one_thread(), bits=16)
    fine = onnxruntime.InferenceSession(model.SerializeToString(), options).run(None, feeds)
    for what, result, reference, bound in (
        ("plug-in w16/A16", fine, wanted, 1e-3),
        ("plug-in w4/A8 beside the library's", given["plug-in w4/A8"], given["library w4/A8"], 1e-6),
        ("plug-in w4/A8", given["plug-in w4/A8"], wanted, 0.5),
        ("ONNX Runtime int8", given["ONNX Runtime int8"], wanted, 0.5),
    ):
        if not error(result, reference) <= bound:
            sys.exit(f"{what}: wrong by {error(result, reference):.1e}")


def measure(model, feeds, seconds):
    """Name -> median milliseconds; runs of all take turns, so that all see the same machine."""
    with tempfile.TemporaryDirectory() as folder:
        runs = contestants(model, pathlib.Path(folder))
        check(model, runs, feeds)
        times = {name: [] for name in runs}
        end = time.perf_counter() + seconds * len(runs)
        while time.perf_counter() < end or len(times["plug-in w4/A8"]) < 9:
            for name, run in runs.items():
                start = time.perf_counter()
                run(feeds)
                times[name].append((time.perf_counter() - start) * 1e3)
        return {name: statistics.median(values) for name, values in times.items()}


def processor():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return "unknown processor"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=3, help="per network and contestant")
    parser.add_argument("--only", default=",".join(NETWORKS), help="some of " + ", ".join(NETWORKS))
    chosen = parser.parse_args()
    print(f"{processor()}, {pbatch.active_isa()}, one thread; pbatch {pbatch.__version__}, "
          f"onnxruntime {onnxruntime.__version__}; {datetime.date.today()}; milliseconds\n")
    header = None
    for key in chosen.only.split(","):
        title, make = NETWORKS[key]
        medians = measure(*make(), chosen.seconds)
        if header is None:
            header = ["network", *medians, "plug-in / library"]
            print(pages.head(header))
        share = medians["library w4/A8"] / medians["plug-in w4/A8"]
        cells = [title, *(f"{ms:.3f}" for ms in medians.values()), f"{share:.2f}"]
        print(pages.line(cells), flush=True)


if __name__ == "__main__":
    main()
