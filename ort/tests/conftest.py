"""Networks that the tests share. Every test runs in a folder of its own."""

import numpy as np
import onnxruntime
import pytest
from networks import NETWORKS

import pbatch.ort

onnxruntime.set_default_logger_severity(3)


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture(params=sorted(NETWORKS))
def network(request):
    return NETWORKS[request.param]()


@pytest.fixture
def mlp():
    return NETWORKS["mlp"]()


def plugin_session(model, options=None, **settings):
    """A session with the plug-in over a path, bytes or a ModelProto."""
    if hasattr(model, "SerializeToString"):
        model = model.SerializeToString()
    settings.setdefault("threads", 1)
    return onnxruntime.InferenceSession(model, pbatch.ort.register(options, **settings))


def float_session(model):
    return onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )


def run_at(session, feeds, **entries):
    """All outputs at run options pbatch.bits and others."""
    options = onnxruntime.RunOptions()
    for key, value in entries.items():
        options.add_run_config_entry(f"pbatch.{key}", str(value))
    return session.run(None, feeds, options)


def library_run(session, feeds, **entries):
    """The same by the library alone, in exact arithmetic."""
    options = pbatch.RunOptions()
    options.add_run_config_entry("pbatch.exact", "1")
    for key, value in entries.items():
        options.add_run_config_entry(f"pbatch.{key}", str(value))
    return session.run(None, feeds, options)


def assert_same_bits(given, wanted):
    assert len(given) == len(wanted)
    for a, b in zip(given, wanted):
        assert a.dtype == b.dtype and a.shape == b.shape
        assert a.tobytes() == b.tobytes(), float(np.abs(a - b).max())


def largest_error(given, wanted):
    """Relative to the largest value of each output."""
    return max(
        float(np.abs(a - b).max() / np.abs(b).max()) for a, b in zip(given, wanted)
    )
