#!/usr/bin/env python3
"""Times convolutions of images in pbatch, ONNX Runtime and, where its library is installed, XNNPACK, in turns.
Every answer of the others is checked first; of pbatch the error against float is printed.

    python3 -m venv VENV && VENV/bin/pip install -r bench/peers/requirements.txt
    VENV/bin/python bench/peers/convolutions.py [--threads 1] [--json conv.json]

Times are of the convolution alone: of pbatch the step, of XNNPACK the operator on channels-last images that
are int8 already, of ONNX Runtime the session less what calling one costs.
"""

import argparse
import dataclasses
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile

import numpy as np

import contender

try:
    import onnx
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper
    import ort
    import xnnpack
except ImportError as missing:
    sys.exit(f"convolutions.py: {missing.name} is missing; install bench/peers/requirements.txt")

ROOT = pathlib.Path(__file__).resolve().parents[2]


@dataclasses.dataclass(frozen=True)
class Shape:
    height: int
    width: int
    channels: int
    filters: int
    kernel: int
    stride: int = 1
    groups: int = 1
    dilation: int = 1

    def __str__(self):
        extra = "".join(f" {name}{value}" for name, value in
                        (("/", self.stride), ("g", self.groups), ("d", self.dilation)) if value != 1)
        return (f"{self.height}x{self.width}x{self.channels}->{self.filters} "
                f"{self.kernel}x{self.kernel}{extra}")

    @property
    def out(self):
        return [(n - 1) // self.stride + 1 for n in (self.height, self.width)]

    @property
    def macs(self):
        return (self.out[0] * self.out[1] * self.filters * self.kernel ** 2 *
                self.channels // self.groups)


SHAPES = [Shape(56, 56, 64, 64, 3), Shape(28, 28, 128, 128, 3), Shape(14, 14, 256, 256, 3),
          Shape(7, 7, 512, 512, 3), Shape(56, 56, 64, 256, 1), Shape(14, 14, 1024, 256, 1),
          Shape(56, 56, 128, 128, 3, 2), Shape(14, 14, 512, 512, 3, 1, 512),
          Shape(28, 28, 128, 128, 3, 1, 1, 2)]


def model(shape, weights):
    """[1, C, H, W] -> one Conv without bias, padded so that a stride of 1 keeps the size."""
    pad = shape.dilation * (shape.kernel - 1) // 2
    node = helper.make_node("Conv", ["x", "w"], ["y"], name="conv", pads=[pad] * 4,
                            strides=[shape.stride] * 2, dilations=[shape.dilation] * 2,
                            group=shape.groups)
    graph = helper.make_graph(
        [node], "conv",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT,
                                       [1, shape.channels, shape.height, shape.width])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, shape.filters, *shape.out])],
        initializer=[numpy_helper.from_array(weights, "w")])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


class Ort(contender.Contender):
    def __init__(self, serialized, x, threads, call_us):
        self.bytes = len(serialized)
        super().__init__(threads, False, call_us)
        self.session = ort.Session(serialized, threads, {"x": x})

    def run(self):
        self.session.run()

    def answer(self):
        return self.session.answers()[0]


class Xnnpack(contender.Contender):
    def __init__(self, shape, weights, x, exact, threads, call_us, quantized):
        self.bytes = weights.nbytes
        super().__init__(threads, False, call_us)
        self.library = xnnpack.Library(threads)
        scales = None
        kernel = np.ascontiguousarray(weights.transpose(0, 2, 3, 1))
        image = np.ascontiguousarray(x.transpose(0, 2, 3, 1))
        if quantized:
            steps = [float(np.abs(t).max() / 127) for t in (image, kernel)]
            image, kernel = (np.rint(t / s).astype(np.int8) for t, s in ((image, steps[0]),
                                                                        (kernel, steps[1])))
            scales = (*steps, float(np.abs(exact).max() / 127))
        self.x = xnnpack.pad(image)
        self.y = xnnpack.pad(np.zeros((1, *shape.out, shape.filters), image.dtype))
        self.operator = self.library.convolution(kernel, self.x, self.y, scales, shape)
        self.library.run(self.operator)
        y = self.y.transpose(0, 3, 1, 2) * (scales[2] if quantized else 1.0)
        error = np.linalg.norm(y - exact) / np.linalg.norm(exact)
        if not error < (0.05 if quantized else 1e-4):
            raise SystemExit(f"XNNPACK computes a wrong convolution of {shape}: {error:.2e}")

    def run(self):
        self.library.run(self.operator)


class Pbatch:
    """A process a turn: `pbatch run --profile`, of which the step of the convolution counts."""

    def __init__(self, program, folder, precision, threads, x, exact):
        file = [str(folder / "conv.onnx")] if precision is None else \
            [str(folder / "conv.pbatch.onnx"), "--bits", precision]
        self.command = [program, "run", *file, "--input", f"x={folder / 'x.npy'}", "--output",
                        f"y={folder / 'y.npy'}", "--threads", str(threads), "--profile", "--runs", "30", "--json", "-"]
        self.folder, self.samples, self.kernel = folder, [], ""
        self.take_turn(0)
        y = np.load(folder / "y.npy")
        self.error = float(np.linalg.norm(y - exact) / np.linalg.norm(exact))
        self.samples = []

    def take_turn(self, _seconds):
        done = subprocess.run(self.command, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"convolutions.py: {done.stderr.strip()}")
        steps = [s for s in json.loads(done.stdout)["steps"] if s["node"] == "conv" and
                 s["op_type"] != "Reorder"]
        self.kernel = steps[0]["kernel"]
        self.samples.append(sum(s["us"] for s in steps))

    def take_result(self):
        return min(self.samples), statistics.median(self.samples)


def contenders(shape, arguments, folder, call_us):
    rng = np.random.default_rng(shape.macs % 1000)
    weights = rng.standard_normal((shape.filters, shape.channels // shape.groups, shape.kernel,
                                   shape.kernel), dtype=np.float32)
    weights /= np.sqrt(weights[0].size)
    x = rng.standard_normal((1, shape.channels, shape.height, shape.width), dtype=np.float32)
    serialized = model(shape, weights).SerializeToString()
    (folder / "conv.onnx").write_bytes(serialized)
    np.save(folder / "x.npy", x)
    float_ort = Ort(serialized, x, arguments.threads, call_us[ort])
    exact = float_ort.answer().astype(np.float64)
    subprocess.run([arguments.pbatch, "quantize", str(folder / "conv.onnx"), "-o",
                    str(folder / "conv.pbatch.onnx"), "--scheme", "plain"], check=True,
                   stdout=subprocess.DEVNULL)
    made = {"ort_f32": float_ort}
    for name, precision in (("pbatch float", None), ("pbatch w8/A8", "8,8"), ("pbatch w4/A8", "4,8")):
        if precision is not None and shape.groups == shape.channels:
            continue   # depthwise: a few weights a filter, which stay float
        made[name] = Pbatch(arguments.pbatch, folder, precision, arguments.threads, x, exact)
    if xnnpack.here():
        for name in xnnpack.NAMES:
            made[name] = Xnnpack(shape, weights, x, exact, arguments.threads, call_us[xnnpack],
                                 name == "xnnpack_qs8")
    return made


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.1, help="of a turn, about")
    parser.add_argument("--pbatch", default=str(ROOT / "build" / "release" / "cli" / "pbatch"))
    parser.add_argument("--json", metavar="FILE")
    arguments = parser.parse_args()
    call_us = {ort: ort.tiny_call_us(arguments.threads)}
    if xnnpack.here():
        call_us[xnnpack] = xnnpack.tiny_call_us(arguments.threads)
    rows = []
    for shape in SHAPES:
        with tempfile.TemporaryDirectory() as folder:
            made = contenders(shape, arguments, pathlib.Path(folder), call_us)
            for _ in range(arguments.turns):
                for one in made.values():
                    one.take_turn(arguments.seconds)
            row = {"shape": str(shape), "macs": shape.macs}
            for name, one in made.items():
                row[name] = dict(zip(("min_us", "median_us"), one.take_result()))
                if isinstance(one, Pbatch):
                    row[name].update(kernel=one.kernel, error=one.error)
            rows.append(row)
            print(f"{row['shape']:<34}" + "".join(
                f"{name} {row[name]['median_us']:.0f} us{one_kernel(row[name])}   " for name in made),
                flush=True)
    if arguments.json:
        pathlib.Path(arguments.json).write_text(json.dumps(
            {"threads": arguments.threads, "versions": ort.versions(), "results": rows}, indent=1) +
            "\n")


def one_kernel(result):
    return f" ({result['kernel']}, {result['error']:.1e})" if "kernel" in result else ""


if __name__ == "__main__":
    main()
