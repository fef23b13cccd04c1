#!/usr/bin/env python3
"""Integer runs beside the float epilogue of the same width and ONNX Runtime's int8: the table of docs/integer.md.

    PYTHON bench/integer.py [--isas native,avx2] [--threads 1] [--json FILE]

LSTMs of 512 and 2048 units, states fed and returned, for one step and for several; 784-4096-4096-10 with Relu;
the demo network. Contenders take turns, a few milliseconds each, so that what else happens on the machine hits all of
them; a call is what a caller waits for, floats in and floats out. ONNX Runtime runs the float network and its
dynamic int8 form (QInt8 weights), fed by I/O binding; pbatch by its C interface. Answers are compared with the
float ones of ONNX Runtime first. Needs numpy, onnx and onnxruntime.
"""

import argparse
import collections
import ctypes
import json
import logging
import os
import pathlib
import platform
import shutil
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

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path += [str(ROOT / "scripts"), str(ROOT / "bench/networks")]
import pages  # noqa: E402
import synthetic  # noqa: E402

WIDTHS = ((8, 8), (4, 8), (2, 8), (8, 16), (4, 16))
ERRORS = {8: 0.1, 4: 0.5, 2: 1.2}  # of answers that are what they should be, by weight bits


class Bits(ctypes.Structure):
    _fields_ = [("weight", ctypes.c_int), ("activation", ctypes.c_int)]


class PrecisionOfRun(ctypes.Structure):
    _fields_ = [("all", Bits), ("layers", ctypes.c_void_p), ("count", ctypes.c_size_t)]


class TensorOfRun(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("dtype", ctypes.c_int), ("rank", ctypes.c_size_t),
                ("shape", ctypes.POINTER(ctypes.c_int64)), ("data", ctypes.c_void_p), ("bytes", ctypes.c_size_t)]


class Failure(ctypes.Structure):
    _fields_ = [("code", ctypes.c_int), ("message", ctypes.c_char * 1024)]


class SessionOptions(ctypes.Structure):
    _fields_ = [("threads", ctypes.c_int), ("backend", ctypes.c_int), ("pool", ctypes.c_void_p),
                ("device", ctypes.c_int), ("index", ctypes.c_int)]


class Pbatch:
    """A session by the C interface; run(bits, integer) takes the inputs that it was made with."""

    def __init__(self, library, path, inputs, threads):
        self.lib, self.failure = ctypes.CDLL(str(library)), Failure()
        self.session = ctypes.c_void_p()
        self.check(self.lib.pbatch_session_load(str(path).encode(), ctypes.byref(SessionOptions(threads)),
                                                ctypes.byref(self.session), ctypes.byref(self.failure)))
        self.kept, self.tensors = [], (TensorOfRun * len(inputs))()
        for tensor, (name, array) in zip(self.tensors, inputs.items()):
            shape = (ctypes.c_int64 * array.ndim)(*array.shape)
            self.kept += [shape, array]
            tensor.name, tensor.dtype, tensor.rank, tensor.shape = name.encode(), 0, array.ndim, shape
            tensor.data, tensor.bytes = array.ctypes.data, array.nbytes
        self.lib.pbatch_outputs_free.argtypes = [ctypes.c_void_p]

    def check(self, code):
        if code:
            raise SystemExit(f"pbatch: {self.failure.message.decode()}")

    def runner(self, weight, activation, integer):
        """What runs once and drops its outputs, and what gives all of them."""
        function = self.lib.pbatch_run_integer if integer else self.lib.pbatch_run
        precision = PrecisionOfRun(Bits(weight, activation), None, 0)
        outputs = ctypes.c_void_p()
        failure = ctypes.byref(self.failure)
        arguments = (self.session, self.tensors, ctypes.c_size_t(len(self.tensors)), ctypes.byref(precision),
                     ctypes.byref(outputs), failure)

        def run():
            self.check(function(*arguments))
            self.lib.pbatch_outputs_free(outputs)

        def answers():
            self.check(function(*arguments))
            made = []
            for i in range(self.lib.pbatch_outputs_count(outputs)):
                tensor = TensorOfRun()
                self.check(self.lib.pbatch_outputs_get(outputs, ctypes.c_size_t(i), ctypes.byref(tensor), failure))
                made.append(np.frombuffer(ctypes.string_at(tensor.data, tensor.bytes), np.float32).copy())
            self.lib.pbatch_outputs_free(outputs)
            return made

        return run, answers


class OnnxRuntime:
    def __init__(self, path, inputs, threads):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self.session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self.binding = self.session.io_binding()
        for name, array in inputs.items():
            self.binding.bind_cpu_input(name, array)
        for output in self.session.get_outputs():
            self.binding.bind_output(output.name)

    def run(self):
        self.session.run_with_iobinding(self.binding)

    def answer(self):
        self.run()
        return self.binding.copy_outputs_to_cpu()[0].reshape(-1)


def lstm(units, steps, path, random):
    shapes = {"x": [steps, 1, units], "h0": [1, 1, units], "c0": [1, 1, units]}
    constants = {"W": synthetic.weights(random, 1, 4 * units, units),
                 "R": synthetic.weights(random, 1, 4 * units, units)}
    node = helper.make_node("LSTM", ["x", "W", "R", "", "", "h0", "c0"], ["y", "h", "c"], hidden_size=units, name="lstm")
    value = lambda n, s: helper.make_tensor_value_info(n, TensorProto.FLOAT, s)
    graph = helper.make_graph([node], "g", [value(n, s) for n, s in shapes.items()],
                              [value(n, None) for n in ("y", "h", "c")],
                              [numpy_helper.from_array(v, n) for n, v in constants.items()])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8), path)
    floats = lambda s: random.standard_normal(s).astype(np.float32)
    return {"x": floats(shapes["x"]), "h0": np.tanh(floats(shapes["h0"])), "c0": floats(shapes["c0"])}


def demo(path, random):
    model = onnx.load(ROOT / "models/fashion_mnist.onnx")
    onnx.save(model, path)
    port = model.graph.input[0]
    shape = [d.dim_value or 1 for d in port.type.tensor_type.shape.dim]
    return {port.name: random.random(shape).astype(np.float32)}


def take_turns(contenders, seconds, rounds):
    times = collections.defaultdict(list)
    for run in contenders.values():
        for _ in range(3):
            run()
    for _ in range(rounds):
        for name, run in contenders.items():
            run()  # what the one before left in the caches is not this one's
            end = time.perf_counter() + seconds / rounds
            while True:
                start = time.perf_counter()
                run()
                stop = time.perf_counter()
                times[name].append((stop - start) * 1e6)
                if stop > end:
                    break
    return {name: (statistics.median(t), min(t)) for name, t in times.items()}


def prepare(make, folder, options):
    """The float network, its int8 form, the model, and the inputs, unless they are there."""
    if (folder / "model.onnx").exists():
        return {p.stem.split(".")[1]: np.load(p) for p in sorted(folder.glob("input.*.npy"))}
    folder.mkdir(parents=True, exist_ok=True)
    inputs = make(folder / "float.onnx")
    quantize_dynamic(folder / "float.onnx", folder / "int8.onnx", weight_type=QuantType.QInt8)
    options_of = []
    for port, array in inputs.items():
        np.save(folder / f"input.{port}.npy", array)
        most = float(np.abs(array).max())
        options_of += ["--input-range", f"{port}={-most}:{most}"]
    if len(inputs) == 1:  # layers of which weights alone say too little
        options_of = ["--samples", f"{folder}/input.{next(iter(inputs))}.npy"]
    subprocess.run([options.pbatch, "quantize", folder / "float.onnx", "-o", folder / "model.onnx", "--scheme", "plain",
                    "--no-advice", *options_of], check=True, capture_output=True)
    return inputs


def library_for(isa, options, folder):
    """A copy for each instruction set: a library reads PBATCH_ISA once."""
    copy = folder / f"libpbatch-{isa}.so"
    if not copy.exists():
        shutil.copy(options.library, copy)
    os.environ.pop("PBATCH_ISA", None)
    if isa != "native":
        os.environ["PBATCH_ISA"] = isa
    return copy


def measure(name, make, steps, options, folder, libraries):
    at = folder / name.replace(", ", "-").replace(" ", "-")
    inputs = prepare(make, at, options)
    if options.prepare:
        return None
    floats, bytes_ = (OnnxRuntime(at / p, inputs, options.threads) for p in ("float.onnx", "int8.onnx"))
    wanted = floats.answer()
    error = lambda made: float(np.linalg.norm(made - wanted) / np.linalg.norm(wanted))
    contenders = {"float": floats.run, "int8": bytes_.run}
    errors = {"int8": error(bytes_.answer())}
    for isa in options.isas.split(","):
        session = Pbatch(library_for(isa, options, libraries), at / "model.onnx", inputs, options.threads)
        for weight, activation in WIDTHS:
            for integer in (False, True):
                key = f"{isa} w{weight}/A{activation} {'integer' if integer else 'epilogue'}"
                contenders[key], answers = session.runner(weight, activation, integer)
                errors[key] = error(answers()[0])
                if not errors[key] < ERRORS[weight]:
                    raise SystemExit(f"{name}, {key}: the answer is off by {errors[key]:.3f}")
    times = take_turns(contenders, options.seconds, options.rounds)
    result = {"network": name, "steps": steps, "errors": errors,
              "us": {k: {"median": m / steps, "least": l / steps} for k, (m, l) in times.items()}}
    median = lambda k: result["us"][k]["median"]
    us = lambda k: f"{median(k):.1f} ({result['us'][k]['least']:.1f})"
    for isa in options.isas.split(","):
        for w, a in WIDTHS:
            epilogue, integer = (f"{isa} w{w}/A{a} {kind}" for kind in ("epilogue", "integer"))
            print(pages.line([name, isa, f"w{w}/A{a}", us("int8"), us(epilogue), us(integer),
                              f"{median(integer) / median(epilogue):.2f}", f"{median('int8') / median(integer):.2f}",
                              f"{errors['int8']:.3f}", f"{errors[integer]:.3f}"]), flush=True)
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--pbatch", default=str(ROOT / "build/release/cli/pbatch"))
    parser.add_argument("--library", default=str(ROOT / "build/release/libpbatch.so"))
    parser.add_argument("--isas", default="native,avx2", help="instruction sets of pbatch, as PBATCH_ISA takes them")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=0.5, help="timed work of each contender, about")
    parser.add_argument("--rounds", type=int, default=20, help="turns of each contender")
    parser.add_argument("--folder", help="keeps the networks there, and takes those that are there")
    parser.add_argument("--prepare", action="store_true", help="makes the networks, measures nothing")
    parser.add_argument("--only", default="", help="networks whose names contain this")
    parser.add_argument("--json", help="all figures, least times and errors too")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    random = np.random.default_rng(1)
    networks = [
        ("LSTM 512, 1 step", lambda p: lstm(512, 1, p, random), 1),
        ("LSTM 512, 50 steps", lambda p: lstm(512, 50, p, random), 50),
        ("LSTM 2048, 1 step", lambda p: lstm(2048, 1, p, random), 1),
        ("LSTM 2048, 10 steps", lambda p: lstm(2048, 10, p, random), 10),
        ("784-4096-4096-10", lambda p: {"x": synthetic.perceptron((784, 4096, 4096, 10), p, random)}, 1),
        ("demo network", lambda p: demo(p, random), 1),
    ]
    print(f"ONNX Runtime {onnxruntime.__version__}, {platform.machine()}, {options.threads} thread(s); µs a step, "
          "medians (least)\n")
    print(pages.head(["network", "pbatch on", "", "ONNX Runtime int8", "float epilogue", "integer", "integer / epilogue",
                      "int8 / integer", "error of int8", "of integer"]))
    results = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(options.folder or temporary)
        for name, make, steps in networks:
            if options.only in name:
                results.append(measure(name, make, steps, options, folder, pathlib.Path(temporary)))
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
