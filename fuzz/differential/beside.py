"""Runs a network in pbatch and in ONNX Runtime on the same inputs."""
import os
import subprocess
import tempfile

import numpy as np
import onnx
import onnxruntime as ort
from onnx import helper

IR_VERSION = 8   # what opsets up to 23 are still read with


def model_of(nodes, inputs, outputs, constants=(), opset=17):
    """A model of nodes; inputs and outputs are (name, onnx type, shape), constants (name, array)."""
    graph = helper.make_graph(
        nodes, "differential",
        [helper.make_tensor_value_info(*i) for i in inputs],
        [helper.make_tensor_value_info(*o) for o in outputs],
        [onnx.numpy_helper.from_array(a, n) for n, a in constants])
    imports = [helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1),
               helper.make_opsetid("ai.onnx.ml", 1)]
    return helper.make_model(graph, opset_imports=imports, ir_version=IR_VERSION)


def onnxruntime_outputs(model, feeds):
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(model.SerializeToString(), options,
                                   providers=["CPUExecutionProvider"])
    return session.run(None, feeds)


def pbatch_outputs(pbatch, model, feeds):
    """The outputs, or the one line that says why there are none."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model.onnx")
        onnx.save(model, path)
        args = [pbatch, "run", path]
        for i, (name, value) in enumerate(feeds.items()):
            np.save(f"{folder}/i{i}.npy", value)
            args += ["--input", f"{name}={folder}/i{i}.npy"]
        for i, output in enumerate(model.graph.output):
            args += ["--output", f"{output.name}={folder}/o{i}.npy"]
        done = subprocess.run(args, capture_output=True, text=True, timeout=120)
        if done.returncode != 0:
            return (done.stderr.strip().splitlines() or [f"exit {done.returncode}"])[-1]
        return [np.load(f"{folder}/o{i}.npy") for i in range(len(model.graph.output))]


def difference(ours, theirs):
    """The greatest relative difference of norms over all outputs; integers must agree."""
    worst = 0.0
    for a, b in zip(ours, theirs):
        b = np.asarray(b)
        if a.shape != b.shape:
            return float("inf")
        if b.dtype.kind == "f":
            if not np.array_equal(np.isnan(a), np.isnan(b)):
                return float("inf")
            a, b = np.nan_to_num(a.astype(np.float64)), np.nan_to_num(b.astype(np.float64))
            worst = max(worst, np.linalg.norm(a - b) / max(np.linalg.norm(b), 1e-6))
        elif not np.array_equal(a, b):
            return float("inf")
    return worst
