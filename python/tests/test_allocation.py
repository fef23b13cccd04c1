"""Bit allocations of the command line, in Python."""

import json
import pathlib

import numpy as np
import pytest

import pbatch


def written(tmp_path, **changes) -> pathlib.Path:
    said = json.loads(pathlib.Path("net.bits.json").read_text()) | changes
    path = tmp_path / "changed.json"
    path.write_text(json.dumps(said))
    return path


def test_an_allocation_is_the_layers_of_a_run(session, x, tmp_path):
    layers = [{"name": "fc1", "weight_bits": 3, "activation_bits": 8}]
    read = session.read_allocation(written(tmp_path, layers=layers))
    assert read == {"fc1": (3, 8)}
    like = session(x, bits=3, abits=8)
    np.testing.assert_array_equal(session(x, layers=read), like)
    with pbatch.precision(layers=read):
        np.testing.assert_array_equal(session(x), like)
    assert [s.weight_bits for s in session.plan(layers=read) if s.kernel != "float"] == [3]
    assert session.weight_bytes(layers=read) == session.weight_bytes(bits=3)


def test_what_allocate_wrote_keeps_its_limit(session):
    said = json.loads(pathlib.Path("net.bits.json").read_text())
    assert said["measured_error"] <= 0.05
    (bits,) = session.read_allocation("net.bits.json").values()
    assert list(bits) == [said["layers"][0]["weight_bits"], said["layers"][0]["activation_bits"]]


def test_what_does_not_fit_has_its_class(session, tmp_path):
    with pytest.raises(pbatch.NotFoundError):
        session.read_allocation("no_such.json")
    with pytest.raises(pbatch.MalformedError) as caught:
        session.read_allocation("net.onnx")
    assert caught.value.file == "net.onnx"
    with pytest.raises(pbatch.InvalidArgumentError, match="other weights"):
        session.read_allocation(written(tmp_path, weights_checksum="00000000"))
    wide = [{"name": "fc1", "weight_bits": 12, "activation_bits": 8}]
    with pytest.raises(pbatch.PrecisionUnavailableError) as caught:
        session.read_allocation(written(tmp_path, layers=wide))
    assert caught.value.node == "fc1"
