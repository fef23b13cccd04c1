"""Cascade: answers of single runs, margins of the caller's own, bounds."""

import numpy as np
import pytest
from conftest import model_of
from onnx import TensorProto, helper

import pbatch

RNG = np.random.default_rng(3)


def exactly(session, feed, bits):
    options = pbatch.RunOptions()
    options.add_run_config_entry("pbatch.exact", "1")
    return session.run(None, feed, options, bits=bits)[0]


def items(count, seed=5):
    return np.random.default_rng(seed).standard_normal((count, 64)).astype(np.float32)


def top_two(y):
    return np.diff(np.sort(y, axis=-1)[..., -2:], axis=-1)[..., 0]


@pytest.mark.parametrize("threshold", [0.5, 2.0, 6.0])
def test_every_item_gets_the_bits_it_gets_alone(session, threshold):
    x = items(50)
    made = pbatch.Cascade(session, [2, 8], thresholds=[threshold]).run({"x": x})
    for i in range(len(x)):
        alone = exactly(session, {"x": x[i : i + 1]}, 2)
        stage = 0 if top_two(alone)[0] > threshold else 1
        assert made.stage_of_item[i] == stage
        expected = alone if stage == 0 else exactly(session, {"x": x[i : i + 1]}, 8)
        assert made.outputs[0][i].tobytes() == expected[0].tobytes()


def convolution_and_attention():
    """A float convolution, a product of two activations and a quantized layer: [n, 8, 8] -> 10."""

    def floats(*shape):
        return RNG.standard_normal(shape).astype(np.float32)

    nodes = [
        helper.make_node("Unsqueeze", ["x", "one"], ["image"], name="image"),
        helper.make_node("Conv", ["image", "w"], ["c"], name="conv", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c"], ["r"], name="relu"),
        helper.make_node("Transpose", ["r"], ["t"], name="turn", perm=[0, 1, 3, 2]),
        helper.make_node("MatMul", ["r", "t"], ["scores"], name="scores"),
        helper.make_node("Softmax", ["scores"], ["p"], name="softmax", axis=-1),
        helper.make_node("MatMul", ["p", "r"], ["m"], name="mixed"),
        helper.make_node("Flatten", ["m"], ["f"], name="flat"),
        helper.make_node("Gemm", ["f", "w1"], ["h"], name="fc1"),
        helper.make_node("Gemm", ["h", "w2", "b2"], ["y"], name="fc2"),
    ]
    constants = {
        "one": np.array([1], np.int64), "w": floats(6, 1, 3, 3), "w1": floats(384, 32) / 8,
        "w2": floats(32, 10), "b2": floats(10),
    }  # fmt: skip
    return model_of(
        nodes, [("x", TensorProto.FLOAT, ["n", 8, 8])], [("y", TensorProto.FLOAT, ["n", 10])],
        constants,
    )  # fmt: skip


@pytest.mark.parametrize("threads", [1, 3])
def test_float_layers_do_not_depend_on_the_batch(threads):
    """In exact arithmetic, what a network has of float products."""
    _, model = pbatch.quantize(convolution_and_attention())
    session = pbatch.InferenceSession(model, threads=threads)
    assert len(session.layers) == 1
    x = RNG.standard_normal((37, 8, 8)).astype(np.float32)
    together = exactly(session, {"x": x}, 4)
    for i in range(len(x)):
        assert exactly(session, {"x": x[i : i + 1]}, 4)[0].tobytes() == together[i].tobytes()
    near = session.run(None, {"x": x}, bits=4)[0]
    np.testing.assert_allclose(together, near, rtol=1e-3, atol=1e-3)


def test_a_margin_of_the_callers_own(session):
    seen = []

    def margin(outputs):
        seen.append(outputs[0].shape)
        return outputs[0][:, 3]

    x = items(30)
    first = exactly(session, {"x": x}, 1)
    made = pbatch.Cascade(session, [1, 8], margin=margin, thresholds=[0.0]).run({"x": x})
    assert (made.stage_of_item == np.where(first[:, 3] > 0, 0, 1)).all()
    assert seen == [(30, 10)]
    assert made.stages[1].items == (first[:, 3] <= 0).sum()


def test_what_a_margin_raises_comes_through(session):
    def margin(outputs):
        raise KeyError("mine")

    cascade = pbatch.Cascade(session, [1, 8], margin=margin)
    with pytest.raises(KeyError, match="mine"):
        cascade.run({"x": items(3)})
    cascade = pbatch.Cascade(session, [1, 8], margin=lambda outputs: [1.0])
    with pytest.raises(pbatch.InvalidArgumentError, match="1 margins for 3 items"):
        cascade.run({"x": items(3)})


def test_calibration_keeps_agreement_on_other_items(session):
    cascade = pbatch.Cascade(session, [2, 8])
    with pytest.raises(pbatch.InvalidArgumentError, match="299 items at least"):
        cascade.calibrate({"x": items(298, 1)}, agreement=0.99)
    found = cascade.calibrate({"x": items(2000, 1)}, agreement=0.98)
    assert cascade.thresholds == [found.stages[0].threshold]
    assert found.agreement >= found.agreement_bound >= 0.98
    x = items(3000, 2)
    wide = exactly(session, {"x": x}, 8)
    run = cascade.run({"x": x})
    assert (run.outputs[0].argmax(1) == wide.argmax(1)).mean() >= 0.975
    assert 0 < run.stages[0].answered < 3000


def test_refusals(session):
    for arguments in ({"stages": [2]}, {"margin": "best"}, {"thresholds": [1, 2]}):
        with pytest.raises(pbatch.InvalidArgumentError):
            pbatch.Cascade(session, **{"stages": [2, 8], **arguments})
    with pytest.raises(pbatch.NotFoundError):
        pbatch.Cascade(session, [2, 8], output="z")
