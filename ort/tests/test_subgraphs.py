"""Layers inside If and Loop, and convolutions."""

import numpy as np
import pytest
from conftest import float_session, largest_error, library_run, plugin_session, run_at
from networks import Builder
from onnx import TensorProto, helper

import pbatch


def loop():
    """x = tanh(x W) n times, with W outside the loop."""
    b = Builder(11)
    b.input("n", TensorProto.INT64, [])
    b.input("x", TensorProto.FLOAT, [2, 64])
    b.weight("w", 64, 64)
    body = helper.make_graph(
        [
            helper.make_node("MatMul", ["state", "w"], ["product"], name="fc"),
            helper.make_node("Tanh", ["product"], ["next"]),
            helper.make_node("Identity", ["go"], ["on"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("state", TensorProto.FLOAT, [2, 64]),
        ],
        [
            helper.make_tensor_value_info("on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("next", TensorProto.FLOAT, [2, 64]),
        ],
    )
    b.node("Loop", ["n", "", "x"], "y", body=body, name="loop")
    b.output("y", [2, 64])
    feeds = {"n": np.array(3), "x": b.rng.standard_normal((2, 64)).astype(np.float32)}
    return b.model(), feeds


def test_a_loop_agrees_with_float():
    model, feeds = loop()
    wanted = float_session(model).run(None, feeds)
    session = plugin_session(model, bits=16)
    assert largest_error(session.run(None, feeds), wanted) < 1e-3
    assert largest_error(run_at(session, feeds, bits=2), wanted) > 0.05


def test_a_quantized_loop_gives_what_the_library_gives():
    model, feeds = loop()
    _, path = pbatch.quantize(model, "q.onnx")
    wanted = library_run(pbatch.InferenceSession(path), feeds, bits=4)
    given = run_at(plugin_session(path), feeds, bits=4)
    assert largest_error(given, wanted) < 1e-5


def convolution(channels, size, kernel):
    b = Builder(12)
    b.input("x", TensorProto.FLOAT, ["n", channels, size, size])
    b.weight("w", channels, channels, kernel, kernel)
    b.node("Conv", ["x", "w"], "c", name="conv", pads=[kernel // 2] * 4)
    b.node("Relu", ["c"], "y")
    b.output("y", ["n", channels, size, size])
    feeds = {"x": b.rng.standard_normal((2, channels, size, size)).astype(np.float32)}
    return b.model(), feeds


@pytest.mark.parametrize("kernel", [1, 3])
def test_a_quantized_convolution_gives_the_librarys_bits(kernel):
    model, feeds = convolution(64, 6, kernel)
    _, path = pbatch.quantize(model, "q.onnx", scheme="plain")
    wanted, = library_run(pbatch.InferenceSession(path), feeds, bits=4, abits=8)
    given, = run_at(plugin_session(path), feeds, bits=4, abits=8)
    assert given.tobytes() == wanted.tobytes()


@pytest.mark.parametrize("bits", [1, 16])
def test_a_float_convolution_is_right_wherever_it_runs(bits):
    """At 1 bit it may run here, at 16 it does not pay."""
    model, feeds = convolution(128, 8, 1)
    wanted = float_session(model).run(None, feeds)
    error = largest_error(plugin_session(model, bits=bits).run(None, feeds), wanted)
    assert error < (1.5 if bits == 1 else 1e-3)
