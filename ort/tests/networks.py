"""Small networks of the kinds that the plug-in takes. Each is a ModelProto and its feeds."""

from typing import NamedTuple

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


class Network(NamedTuple):
    model: onnx.ModelProto
    feeds: dict
    claimed: dict  # operator -> how many nodes of layers run in the plug-in; linear: MatMul or Gemm
    whole: bool = False  # all of it runs there
    mixed: bool = False  # onnxruntime computes something that a layer reads


class Builder:
    """Nodes and random weights, one after another."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        self.nodes, self.weights, self.inputs, self.outputs = [], [], [], []

    def weight(self, name, *shape, scale=None):
        scale = shape[-1] ** -0.5 if scale is None else scale
        array = (self.rng.standard_normal(shape) * scale).astype(np.float32)
        return self.constant(name, array)

    def constant(self, name, array):
        self.weights.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def node(self, op, inputs, outputs, **attributes):
        outputs = [outputs] if isinstance(outputs, str) else outputs
        self.nodes.append(helper.make_node(op, inputs, outputs, **attributes))
        return outputs[0]

    def input(self, name, dtype, shape):
        self.inputs.append(helper.make_tensor_value_info(name, dtype, shape))
        return name

    def output(self, name, shape, dtype=TensorProto.FLOAT):
        self.outputs.append(helper.make_tensor_value_info(name, dtype, shape))

    def linear(self, x, name, rows, cols):
        """x W + b by MatMul and Add, as PyTorch exports it."""
        self.weight(f"{name}.w", rows, cols, scale=rows**-0.5)
        self.weight(f"{name}.b", cols, scale=0.1)
        self.node("MatMul", [x, f"{name}.w"], f"{name}.m", name=name)
        return self.node("Add", [f"{name}.m", f"{name}.b"], f"{name}.y", name=f"{name}.add")

    def model(self, opset=17):
        graph = helper.make_graph(self.nodes, "net", self.inputs, self.outputs, self.weights)
        opsets = [helper.make_opsetid("", opset)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
        onnx.checker.check_model(model)
        return model


def mlp():
    b = Builder(1)
    x = b.input("x", TensorProto.FLOAT, ["batch", 64])
    h = b.node("Relu", [b.linear(x, "fc0", 64, 256)], "r0")
    h = b.node("Relu", [b.linear(h, "fc1", 256, 128)], "r1")
    b.output(b.linear(h, "fc2", 128, 64), ["batch", 64])
    feeds = {"x": b.rng.standard_normal((5, 64)).astype(np.float32)}
    return Network(b.model(), feeds, {"Gemm": 3, "Relu": 2}, whole=True)


def recurrent(op, gates, seed):
    """Two layers, with the states that go in and out."""
    b = Builder(seed)
    steps, batch, size, hidden = 6, 3, 48, 64
    x = b.input("x", TensorProto.FLOAT, [steps, "batch", size])
    h0 = b.input("h0", TensorProto.FLOAT, [1, "batch", hidden])
    states = []
    for i, width in enumerate((size, hidden)):
        b.weight(f"w{i}", 1, gates * hidden, width)
        b.weight(f"r{i}", 1, gates * hidden, hidden)
        b.weight(f"b{i}", 1, 2 * gates * hidden, scale=0.1)
        outputs = [f"y{i}", f"h{i}_end"] + ([f"c{i}_end"] if op == "LSTM" else [])
        b.node(op, [x, f"w{i}", f"r{i}", f"b{i}", "", h0], outputs, name=f"rnn{i}",
               hidden_size=hidden)
        states += outputs[1:]
        x = b.node("Squeeze", [f"y{i}", b.constant(f"axes{i}", np.array([1], np.int64))], f"s{i}")
    b.output(x, [steps, "batch", hidden])
    for state in states:
        b.output(state, [1, "batch", hidden])
    feeds = {
        "x": b.rng.standard_normal((steps, batch, size)).astype(np.float32),
        "h0": b.rng.standard_normal((1, batch, hidden)).astype(np.float32) * 0.3,
    }
    return Network(b.model(), feeds, {op: 2})


def lstm():
    return recurrent("LSTM", 4, 2)


def gru():
    return recurrent("GRU", 3, 3)


def rnn():
    return recurrent("RNN", 1, 4)


def encoder(layers=2, width=64, heads=4, words=200, length=7):
    """Embeddings, attention and feed-forward blocks, with the operators that exporters write."""
    b = Builder(5)
    head = width // heads
    ids = b.input("ids", TensorProto.INT64, ["batch", length])
    b.weight("words", words, width, scale=1.0)
    b.weight("places", length, width, scale=1.0)
    h = b.node("Gather", ["words", ids], "embedded", name="words")
    h = b.node("Add", [h, "places"], "placed")
    split = b.constant("split", np.array([0, 0, heads, head], np.int64))
    merge = b.constant("merge", np.array([0, 0, width], np.int64))
    root = b.constant("root", np.array(head**0.5, np.float32))
    for i in range(layers):
        parts = {}
        for part, order in (("q", [0, 2, 1, 3]), ("k", [0, 2, 3, 1]), ("v", [0, 2, 1, 3])):
            y = b.node("Reshape", [b.linear(h, f"{i}.{part}", width, width), split], f"{i}.{part}4")
            parts[part] = b.node("Transpose", [y], f"{i}.{part}t", perm=order)
        scores = b.node("Div", [b.node("MatMul", [parts["q"], parts["k"]], f"{i}.s"), root], f"{i}.d")
        mixed = b.node("MatMul", [b.node("Softmax", [scores], f"{i}.p", axis=-1), parts["v"]], f"{i}.m")
        mixed = b.node("Transpose", [mixed], f"{i}.mt", perm=[0, 2, 1, 3])
        mixed = b.node("Reshape", [mixed, merge], f"{i}.mr")
        h = norm(b, f"{i}.ln1", h, b.linear(mixed, f"{i}.o", width, width), width)
        up = b.linear(h, f"{i}.up", width, 4 * width)
        h = norm(b, f"{i}.ln2", h, b.linear(gelu(b, f"{i}.gelu", up), f"{i}.down", 4 * width, width), width)
    b.output(h, ["batch", length, width])
    feeds = {"ids": b.rng.integers(0, words, (2, length))}
    return Network(b.model(), feeds, {"Gather": 1, "linear": 6 * layers})


def projections():
    """Layers that read one value, and tables: nothing else."""
    b = Builder(6)
    x = b.input("x", TensorProto.FLOAT, ["batch", 7, 96])
    for part in "qkv":
        b.output(b.linear(x, part, 96, 64), ["batch", 7, 64])
    ids = b.input("ids", TensorProto.INT32, ["batch", 7])
    b.weight("words", 300, 32, scale=1.0)
    b.output(b.node("Gather", ["words", ids], "rows", name="words"), ["batch", 7, 32])
    feeds = {
        "x": b.rng.standard_normal((2, 7, 96)).astype(np.float32),
        "ids": b.rng.integers(-300, 300, (2, 7)).astype(np.int32),
    }
    return Network(b.model(), feeds, {"Gather": 1, "linear": 3}, whole=True)


def skip():
    """A layer behind an operator that is not the plug-in's, and a way around both."""
    b = Builder(7)
    first = b.linear(b.input("x", TensorProto.FLOAT, ["batch", 64]), "fc0", 64, 96)
    other = b.linear(b.node("Cos", [first], "cos"), "fc1", 96, 96)
    b.output(b.linear(b.node("Add", [first, other], "sum"), "fc2", 96, 64), ["batch", 64])
    feeds = {"x": b.rng.standard_normal((3, 64)).astype(np.float32)}
    return Network(b.model(), feeds, {"linear": 3}, mixed=True)


def norm(b, name, a, c, width):
    total = b.node("Add", [a, c], f"{name}.sum")
    b.constant(f"{name}.scale", np.ones(width, np.float32))
    b.constant(f"{name}.shift", np.zeros(width, np.float32))
    return b.node("LayerNormalization", [total, f"{name}.scale", f"{name}.shift"], f"{name}.y")


def gelu(b, name, x):
    b.constant(f"{name}.2", np.array(2**0.5, np.float32))
    b.constant(f"{name}.1", np.array(1, np.float32))
    b.constant(f"{name}.5", np.array(0.5, np.float32))
    erf = b.node("Erf", [b.node("Div", [x, f"{name}.2"], f"{name}.d")], f"{name}.e")
    half = b.node("Mul", [x, f"{name}.5"], f"{name}.h")
    return b.node("Mul", [half, b.node("Add", [erf, f"{name}.1"], f"{name}.a")], f"{name}.y")


NETWORKS = {
    "mlp": mlp,
    "lstm": lstm,
    "gru": gru,
    "rnn": rnn,
    "encoder": encoder,
    "projections": projections,
    "skip": skip,
}
