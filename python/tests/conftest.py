"""Networks and arrays that the tests share. Every test runs in a folder that holds them."""

import os
import pathlib

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

import pbatch
from pbatch import _program

RNG = np.random.default_rng(7)
W1 = RNG.standard_normal((64, 96)).astype(np.float32)
B1 = RNG.standard_normal(96).astype(np.float32)
W2 = RNG.standard_normal((96, 10)).astype(np.float32)


def mlp() -> ModelProto:
    """y = relu(x W1 + b1) W2, for any batch. fc1 is large enough for bit-layers, fc2 is not."""
    nodes = [
        helper.make_node("Gemm", ["x", "w1", "b1"], ["h"], name="fc1"),
        helper.make_node("Relu", ["h"], ["r"], name="relu"),
        helper.make_node("Gemm", ["r", "w2"], ["y"], name="fc2"),
    ]
    return model_of(
        nodes,
        [("x", TensorProto.FLOAT, ["batch", 64])],
        [("y", TensorProto.FLOAT, ["batch", 10])],
        {"w1": W1, "b1": B1, "w2": W2},
    )


def expected(x: np.ndarray) -> np.ndarray:
    """What mlp() gives in float64."""
    hidden = x.astype(np.float64) @ W1 + B1
    return np.maximum(hidden, 0) @ W2


def model_of(nodes, inputs, outputs, constants=None, opset=17) -> ModelProto:
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info(*port) for port in inputs],
        [helper.make_tensor_value_info(*port) for port in outputs],
        [numpy_helper.from_array(value, name) for name, value in (constants or {}).items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def identity(onnx_type: int, dims: list) -> ModelProto:
    """y = x, of any type and shape."""
    node = helper.make_node("Identity", ["x"], ["y"], name="same")
    return model_of([node], [("x", onnx_type, dims)], [("y", onnx_type, dims)])


@pytest.fixture(scope="session")
def folder(tmp_path_factory) -> pathlib.Path:
    path = tmp_path_factory.mktemp("networks")
    (path / "net.onnx").write_bytes(mlp().SerializeToString())
    pbatch.quantize(path / "net.onnx", path / "net.pbatch.onnx")
    _program.run(["allocate", str(path / "net.pbatch.onnx"), "--max-error", "5%", "--seconds", "0",
                  "-o", str(path / "net.bits.json")])  # fmt: skip
    return path


@pytest.fixture(autouse=True)
def in_folder(folder):
    before = pathlib.Path.cwd()
    os.chdir(folder)
    yield
    os.chdir(before)


@pytest.fixture
def x() -> np.ndarray:
    return np.random.default_rng(1).standard_normal((1, 64)).astype(np.float32)


@pytest.fixture
def session():
    with pbatch.InferenceSession("net.pbatch.onnx", threads=1) as opened:
        yield opened
