"""InferenceSession: results, names, options."""

import resource
import subprocess

import numpy as np
import pytest
from conftest import W1, expected, mlp

import pbatch
from pbatch._program import PROGRAM


def test_a_float_network_gives_the_float_answer(x):
    y, = pbatch.InferenceSession("net.onnx").run(None, {"x": x})
    np.testing.assert_allclose(y, expected(x), rtol=1e-4, atol=1e-4)


def test_more_bits_are_closer_to_float(session, x):
    def error(bits):
        y, = session.run(["y"], {"x": x}, bits=bits)
        return np.linalg.norm(y - expected(x)) / np.linalg.norm(expected(x))

    errors = [error(bits) for bits in (1, 2, 4, 8)]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.01
    assert error(32) < 0.01


@pytest.mark.parametrize(("bits", "abits"), [(1, 8), (3, 16), (8, 32)])
def test_runs_as_the_command_line_does(x, bits, abits, tmp_path):
    """Bit for bit, where no layer is float."""
    _, path = pbatch.quantize("net.onnx", tmp_path / "q.onnx", min_elements=1)
    np.save(tmp_path / "x.npy", x)
    subprocess.run(
        [PROGRAM, "run", path, "--bits", f"{bits},{abits}", "--threads", "1",
         "--input", f"x={tmp_path}/x.npy", "--output", f"y={tmp_path}/y.npy"],
        check=True, capture_output=True,
    )  # fmt: skip
    y, = pbatch.InferenceSession(path).run(None, {"x": x}, bits=bits, abits=abits)
    np.testing.assert_array_equal(y, np.load(tmp_path / "y.npy"))


def test_the_precision_is_four_and_sixteen_if_nothing_is_said(session, x):
    default, = session.run(None, {"x": x})
    np.testing.assert_array_equal(default, session(x, bits=4, abits=16))


def test_layers_have_bits_of_their_own(session, x):
    like = session(x, bits=7, abits=8)
    np.testing.assert_array_equal(session(x, bits=2, layers={"fc1": (7, 8)}), like)
    np.testing.assert_array_equal(session(x, bits=2, abits=8, layers={"fc1": 7}), like)
    assert not np.array_equal(session(x, bits=2), like)


def test_run_options_hold_a_precision(session, x):
    options = pbatch.RunOptions()
    options.add_run_config_entry("pbatch.bits", "3")
    options.add_run_config_entry("pbatch.abits", "8")
    y, = session.run(None, {"x": x}, options)
    np.testing.assert_array_equal(y, session(x, bits=3, abits=8))
    y, = session.run(None, {"x": x}, options, bits=5)
    np.testing.assert_array_equal(y, session(x, bits=5, abits=8))
    options.add_run_config_entry("pbatch.layers", "fc1=7,16")
    y, = session.run(None, {"x": x}, options)
    np.testing.assert_array_equal(y, session(x, bits=7, abits=16))
    for key, value in (("pbatch.bits", "many"), ("pbatch.layers", "fc1"), ("pbatch.bit", "3")):
        with pytest.raises(pbatch.InvalidArgumentError):
            options.add_run_config_entry(key, value)


@pytest.mark.parametrize("source", ["path", "Path", "bytes", "ModelProto", "Model", "pickled"])
def test_every_way_to_name_a_network(source, folder, x):
    import pickle

    model = pbatch.quantize("net.onnx").model
    given = {
        "path": "net.onnx",
        "Path": folder / "net.onnx",
        "bytes": (folder / "net.onnx").read_bytes(),
        "ModelProto": mlp(),
        "Model": model,
        "pickled": pickle.loads(pickle.dumps(model)),
    }[source]
    opened = pbatch.InferenceSession(given)
    is_float = source not in ("Model", "pickled")
    assert opened.max_weight_bits == (0 if is_float else 8)
    wanted = pbatch.InferenceSession("net.onnx" if is_float else "net.pbatch.onnx")
    np.testing.assert_array_equal(opened(x, bits=3), wanted(x, bits=3))


def test_what_a_session_says_of_itself(session):
    port, = session.get_inputs()
    assert (port.name, port.type, port.dtype, port.shape) == (
        "x", "tensor(float)", "float32", [None, 64],
    )  # fmt: skip
    assert session.get_outputs()[0].shape == [None, 10]
    layer, = session.layers
    assert (layer.name, layer.rows * layer.cols) == ("fc1", W1.size)
    assert (layer.planes_stored, layer.planes_available) == (8, 8)
    more = session.weight_bytes(bits=3) - session.weight_bytes(bits=2)
    assert layer.plane_bytes <= more <= layer.plane_bytes + layer.scale_bytes
    assert (session.threads, session.device, session.device_reason) == (1, "cpu", "")
    assert session.get_providers() == ["CPUExecutionProvider"]
    assert session.float_source.endswith("net.onnx")
    step, = [step for step in session.plan(bits=3, abits=8) if step.node == "fc1"]
    assert (step.weight_bits, step.activation_bits) == (3, 8)
    assert "fc1" in repr(session.plan()) and "<td>fc1</td>" in session.plan()._repr_html_()
    session.prepare(bits=8)
    shapes = {"x": (5, 64)}
    step, = [step for step in session.plan(bits=3, shapes=shapes) if step.node == "fc1"]
    assert (step.planned, step.shape, step.macs) == (True, (5, layer.rows), 5 * W1.size)
    session.prepare(bits=8, shapes=shapes)


def test_prepared_weights_have_a_bound(session, x):
    want = [session.run(None, {"x": x}, bits=bits)[0] for bits in (2, 5)]
    memory = pbatch.weight_memory()
    assert memory.bytes > 0 and memory.limit == 0
    pbatch.limit_weight_memory(1)
    try:
        assert pbatch.weight_memory().limit == 1
        assert pbatch.weight_memory().given_up > memory.given_up
        for bits, y in zip((2, 5), want, strict=True):
            assert (session.run(None, {"x": x}, bits=bits)[0] == y).all()
    finally:
        pbatch.limit_weight_memory(0)


def test_onnxruntime_programs_open_sessions(x):
    options = pbatch.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.graph_optimization_level = pbatch.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.execution_mode = pbatch.ExecutionMode.ORT_SEQUENTIAL
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"
    session = pbatch.InferenceSession(
        "net.onnx", options, pbatch.get_available_providers(), [{"device_id": 0}]
    )
    assert session.threads == 1
    assert session.run([session.get_outputs()[0].name], {session.get_inputs()[0].name: x})
    with pytest.raises(AttributeError):
        options.no_such_option = 1
    with pytest.raises(pbatch.InvalidArgumentError, match="TensorrtExecutionProvider"):
        pbatch.InferenceSession("net.onnx", providers=["TensorrtExecutionProvider"])


def test_auto_says_why_it_is_the_cpu():
    session = pbatch.InferenceSession(
        "net.pbatch.onnx", providers=["CUDAExecutionProvider", "CPUExecutionProvider"]
    )
    assert session.device != "cpu" or session.device_reason != ""
    with pytest.raises(pbatch.InvalidArgumentError):
        pbatch.InferenceSession("net.pbatch.onnx", device="tpu")


def test_sessions_share_a_pool(x):
    options = pbatch.SessionOptions()
    options.pool = pbatch.ThreadPool(threads=2)
    sessions = [pbatch.InferenceSession("net.pbatch.onnx", options) for _ in range(2)]
    assert [s.threads for s in sessions] == [2, 2]
    np.testing.assert_array_equal(sessions[0](x), sessions[1](x))
    with pytest.raises(pbatch.InvalidArgumentError):
        pbatch.ThreadPool(cpus=[100000])


def test_several_outputs_come_in_the_order_asked_for(x):
    model = mlp()
    model.graph.output.append(model.graph.output[0])
    model.graph.output[1].CopyFrom(model.graph.output[0])
    model.graph.output[1].name = "r"
    model.graph.output[1].type.tensor_type.shape.dim[1].dim_value = 96
    session = pbatch.InferenceSession(model)
    y, r = session(x)
    assert (y.shape, r.shape) == ((1, 10), (1, 96))
    r2, y2, r3 = session.run(["r", "y", "r"], {"x": x})
    assert r2 is r3
    np.testing.assert_array_equal(r2, r)
    np.testing.assert_array_equal(y2, y)
    assert [a.shape for a in session.run([], {"x": x})] == [(1, 10), (1, 96)]


def test_sessions_that_are_dropped_leave_no_memory(x):
    def resident():
        with open("/proc/self/statm") as statm:
            return int(statm.read().split()[1]) * resource.getpagesize()

    model = pbatch.quantize("net.onnx").model

    def use(times):
        for i in range(times):
            session = pbatch.InferenceSession(model, threads=1)
            session.run(None, {"x": x}, bits=1 + i % 8)
            with pytest.raises(pbatch.Error):
                session.run(None, {"z": x})

    use(200)
    before = resident()
    use(1000)
    assert resident() - before < 2 << 20  # 2 kB each; a session holds 60 kB
