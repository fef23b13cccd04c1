"""Errors are exceptions, a class for each code, with the file, the node and the remedy."""

import pathlib
import pickle
import re

import numpy as np
import pytest

import pbatch
from pbatch import errors

CODES = [
    "invalid_argument", "not_found", "io", "malformed", "unsupported", "shape_mismatch",
    "precision_unavailable", "not_finite", "out_of_memory", "internal",
]  # fmt: skip


def test_every_code_has_a_class_of_its_own():
    made = [errors.from_status(code, "wrong", "mend it", "f.onnx", "n") for code in CODES]
    assert [e.code for e in made] == CODES
    assert len({type(e) for e in made}) == len(CODES)
    for error in made:
        assert (error.message, error.remedy, error.file, error.node) == (
            "wrong", "mend it", "f.onnx", "n",
        )  # fmt: skip
        assert getattr(pbatch, type(error).__name__) is type(error)
        copy = pickle.loads(pickle.dumps(error))
        assert (type(copy), str(copy), copy.file) == (type(error), str(error), error.file)


def test_a_missing_file(folder):
    with pytest.raises(pbatch.NotFoundError) as caught:
        pbatch.InferenceSession("no_such.onnx")
    assert caught.value.file == "no_such.onnx"
    assert str(caught.value).startswith("no_such.onnx: cannot open the file")
    with pytest.raises(pbatch.IoError):
        pbatch.InferenceSession(folder)


def test_damaged_bytes_never_crash(folder):
    whole = (folder / "net.onnx").read_bytes()
    with pytest.raises(pbatch.MalformedError):
        pbatch.InferenceSession(b"")
    for cut in range(1, len(whole), len(whole) // 40):
        with pytest.raises(pbatch.Error):
            pbatch.InferenceSession(whole[:cut])
    model = pbatch.quantize("net.onnx").model
    with pytest.raises(pbatch.MalformedError):
        pbatch.InferenceSession(pbatch.Model(model.onnx, model.safetensors[:50]))
    with pytest.raises(pbatch.NotFoundError, match="safetensors"):
        pbatch.InferenceSession(model.onnx)


def test_paths_that_cannot_be():
    for path in ("a\0b.onnx", "\udc80.onnx"):
        with pytest.raises(pbatch.InvalidArgumentError):
            pbatch.InferenceSession(path)
    for given in (3, None, ["net.onnx"]):
        with pytest.raises(pbatch.InvalidArgumentError, match="is no network"):
            pbatch.InferenceSession(given)


def test_precisions_that_cannot_be(session, x):
    few = pbatch.InferenceSession(pbatch.quantize("net.onnx", planes=3).model)
    with pytest.raises(pbatch.PrecisionUnavailableError):
        few(x, bits=4)
    for wrong in ({"bits": 0}, {"bits": 17}, {"bits": -1}, {"abits": 7},
                  {"layers": {"fc1": "3"}}, {"layers": {"fc1": (3,)}}, {"layers": {3: 3}},
                  {"layers": [3]}):  # fmt: skip
        with pytest.raises(pbatch.InvalidArgumentError):
            session.run(None, {"x": x}, **wrong)
    with pytest.raises(pbatch.NotFoundError, match="fc9"):
        session(x, layers={"fc9": 3})
    for wrong in ({"bits": "3"}, {"bits": 1 << 40}, {"no_such": 3}):
        with pytest.raises(TypeError):
            session.run(None, {"x": x}, **wrong)


def test_names_that_are_not_there(session, x):
    for call, words in (
        (lambda: session.run(["z"], {"x": x}), "no output 'z'; its outputs are 'y'"),
        (lambda: session.run("y", {"x": x}), "'output_names' is one string"),
        (lambda: session.run([3], {"x": x}), "an output's name is 3"),
        (lambda: session.run(None, {"x": x, "z": x}), "no input 'z'; its inputs are 'x'"),
        (lambda: session.run(None, {}), "input 'x' is missing"),
        (lambda: session.run(None, [x]), "'input_feed' is no dictionary"),
        (lambda: session.run(None, {b"x": x}), "an input's name is b'x'"),
        (lambda: session.run(None, {"\udc80": x}), "an input's name is"),
        (lambda: session(x, x), "2 inputs are given"),
        (lambda: session(x, x=x), "input 'x' is given twice"),
        (lambda: session(z=x), "no input 'z'"),
        (lambda: session(), "input 'x' is missing"),
        (lambda: session.plan(shapes={"x": "wide"}), "the shape of input 'x' is 'wide'"),
    ):
        with pytest.raises(pbatch.InvalidArgumentError) as caught:
            call()
        assert words in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_closed_session_says_so(x):
    session = pbatch.InferenceSession("net.pbatch.onnx")
    session.close()
    session.close()
    for use in (
        lambda: session.run(None, {"x": x}),
        lambda: session(x),
        session.get_inputs,
        session.get_outputs,
        session.prepare,
        session.plan,
        session.weight_bytes,
        session.io_binding,
        lambda: session.layers,
        lambda: session.threads,
    ):
        with pytest.raises(pbatch.InvalidArgumentError, match="the session is closed"):
            use()


def test_a_session_without_its_initializer_does_not_crash(x):
    with pytest.raises((TypeError, RuntimeError)):
        pbatch.InferenceSession.__new__(pbatch.InferenceSession).run(None, {"x": x})


def test_nothing_says_to_install_the_namesake():
    root = pathlib.Path(pbatch.__file__).parent
    texts = [p.read_text() for p in root.rglob("*.py*") if p.suffix in (".py", ".pyi")]
    assert texts
    assert not any(re.search(r"pip3? install (-\S+ )*pbatch", text) for text in texts)


def test_a_bad_array_interface_does_not_crash(session):
    class Liar:
        __array_interface__ = {"shape": (1, 64), "typestr": "<f4", "data": (0, True), "version": 3}

        def __dlpack__(self, **_):
            raise RuntimeError("no")

        def __dlpack_device__(self):
            return (1, 0)

    with pytest.raises(pbatch.InvalidArgumentError):
        session(Liar())
    assert np.isfinite(session(np.ones((1, 64), np.float32))).all()
