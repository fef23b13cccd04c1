"""InferenceSession.profile: what the steps of a run take."""

import numpy as np
import pytest
from conftest import W1

import pbatch


def test_every_step_has_its_time(session, x):
    profile = session.profile({"x": x}, bits=3, abits=8, runs=5)
    plan = session.plan(bits=3, abits=8)
    assert [(s.node, s.op_type, s.kernel) for s in profile] == [
        (s.node, s.op_type, s.kernel) for s in plan
    ]
    assert all(step.us > 0 for step in profile)
    step, = [step for step in profile if step.node == "fc1"]
    assert step.product_us > 0 and step.quantize_us >= 0 and step.epilogue_us >= 0
    assert step.macs == W1.size
    assert step.weight_bytes == [s for s in plan if s.node == "fc1"][0].weight_bytes
    assert all(s.product_us == 0 for s in profile if s.node != "fc1")
    text = repr(profile)
    assert "product_us" in text and "fc1" in text and "<td>fc1</td>" in profile._repr_html_()
    assert "StepTime(node='fc1'" in repr(step)


def test_a_profile_changes_no_result(session, x):
    wanted = session(x, bits=3)
    session.profile({"x": x}, bits=3, runs=1)
    np.testing.assert_array_equal(session(x, bits=3), wanted)


def test_what_cannot_run_has_no_profile(session, x):
    for feed, runs, kind in (
        ({"x": x}, 0, pbatch.InvalidArgumentError),
        ({"z": x}, 1, pbatch.InvalidArgumentError),
        ({"x": x[:, 1:]}, 1, pbatch.ShapeMismatchError),
    ):
        with pytest.raises(kind):
            session.profile(feed, runs=runs)
    with pytest.raises(pbatch.PrecisionUnavailableError):
        session.profile({"x": x}, bits=16)
    session.close()
    with pytest.raises(pbatch.InvalidArgumentError, match="closed"):
        session.profile({"x": x})
