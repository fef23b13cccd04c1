"""quantize and its report."""

import numpy as np
import pytest
from conftest import W1, W2, mlp, model_of
from onnx import TensorProto, helper

import pbatch


@pytest.mark.parametrize("source", ["path", "bytes", "ModelProto"])
@pytest.mark.parametrize("to_file", [False, True])
def test_all_ways_give_the_same_model(source, to_file, folder, tmp_path):
    given = {
        "path": "net.onnx", "bytes": (folder / "net.onnx").read_bytes(), "ModelProto": mlp(),
    }[source]  # fmt: skip
    report, model = pbatch.quantize(given, tmp_path / "q.onnx" if to_file else None)
    data = (folder / "net.pbatch.safetensors").read_bytes()
    if to_file:
        assert model == report.model_path == str(tmp_path / "q.onnx")
        assert (tmp_path / "q.safetensors").read_bytes() == data
        assert report.data_path == str(tmp_path / "q.safetensors")
    else:
        assert model.safetensors == data
        assert report.model_path == ""
        assert model.nbytes == report.model_bytes + report.data_bytes
    assert report.float_bytes == (W1.size + W2.size) * 4


def test_the_report_is_a_table():
    quantized = pbatch.quantize("net.onnx", planes=2, exclude="none")
    report = quantized.report
    fc1, fc2 = report.layers
    assert (fc1.quantized, fc1.planes, len(fc1.sqnr_db)) == (True, 2, 2)
    assert not fc2.quantized and fc2.reason
    lines = repr(quantized).splitlines()
    assert lines[0].split() == ["layer", "operator", "rows", "cols", "bytes/plane",
                                "1", "bit", "dB", "2", "bit", "dB"]  # fmt: skip
    assert lines[1].startswith("fc1") and f"{fc1.sqnr_db[1]:.1f}" in lines[1]
    assert any(line.startswith("stays float: fc2") for line in lines)
    assert "<td>fc1</td>" in quantized._repr_html_()


def test_options_reach_the_quantizer():
    whole = pbatch.quantize("net.onnx", planes=16, group=0, min_elements=0, threads=1)
    session = pbatch.InferenceSession(whole.model)
    assert [(layer.name, layer.group) for layer in session.layers] == [("fc1", 0), ("fc2", 0)]
    assert session.max_weight_bits == 16
    none, = pbatch.quantize("net.onnx", exclude=["fc2", "fc*"]).report.layers[:1]
    assert not none.quantized


@pytest.mark.parametrize(
    "wrong",
    [{"planes": 0}, {"planes": 17}, {"group": 33}, {"group": True}, {"group": "32"},
     {"path": "q.bin"}, {"path": "net.onnx"}, {"threads": -1}, {"min_elements": -1}],
)  # fmt: skip
def test_wrong_options_are_refused(wrong, folder):
    before = (folder / "net.onnx").read_bytes()
    with pytest.raises(pbatch.InvalidArgumentError) as caught:
        pbatch.quantize("net.onnx", **wrong)
    assert caught.value.remedy
    assert (folder / "net.onnx").read_bytes() == before


def test_a_pbatch_model_is_not_quantized_again():
    with pytest.raises(pbatch.InvalidArgumentError, match="pbatch model already"):
        pbatch.quantize("net.pbatch.onnx")
    with pytest.raises(pbatch.InvalidArgumentError, match="pbatch model already"):
        pbatch.quantize(pbatch.quantize("net.onnx").model)


def test_a_matrix_with_a_nan_stays_float_and_says_so():
    model = mlp()
    weights = np.frombuffer(model.graph.initializer[0].raw_data, np.float32).copy()
    weights[5] = np.nan
    model.graph.initializer[0].raw_data = weights.tobytes()
    layers = {layer.name: layer for layer in pbatch.quantize(model).report.layers}
    assert not layers["fc1"].quantized
    assert "is NaN or infinite" in layers["fc1"].reason


def test_tables_for_pandas():
    pandas = pytest.importorskip("pandas")
    frame = pbatch.quantize("net.onnx").report.to_pandas()
    assert isinstance(frame, pandas.DataFrame)
    assert list(frame["name"]) == ["fc1", "fc2"]


def test_samples_make_compensated_codes():
    x = np.random.default_rng(0).normal(size=(64, W1.shape[0])).astype(np.float32)
    plain = pbatch.quantize("net.onnx", scheme="plain").report
    auto = pbatch.quantize("net.onnx").report  # nothing is made up for an MLP
    assert plain.statistics == auto.statistics == plain.plain_reason == ""
    assert auto.plain_reason
    for samples in (x, {"x": x}):
        report = pbatch.quantize("net.onnx", samples=samples).report
        assert report.statistics == "samples"
        assert len(report.layers[0].output_gain_db) == (8 if report.layers[0].compensated else 0)
    with pytest.raises(pbatch.errors.InvalidArgumentError):
        pbatch.quantize("net.onnx", scheme="best")
    with pytest.raises(pbatch.errors.InvalidArgumentError):
        pbatch.quantize("net.onnx", floor=0)


def test_outliers_are_kept_apart_and_exact():
    w = np.random.default_rng(1).standard_normal((64, 300)).astype(np.float32)
    w[7, 11] = 80
    heavy = model_of(
        [helper.make_node("MatMul", ["x", "w"], ["y"], name="heavy")],
        [("x", TensorProto.FLOAT, [1, 64])],
        [("y", TensorProto.FLOAT, [1, 300])],
        {"w": w},
    )
    report, model = pbatch.quantize(heavy, floor=1, outliers=0.001)
    assert [layer.outliers for layer in report.layers] == [1]
    x = np.zeros((1, 64), np.float32)
    x[0, 7] = 1
    (y,) = pbatch.InferenceSession(model).run(["y"], {"x": x}, bits=1, abits=32)
    assert abs(y[0, 11] - 80) < 1e-4
    assert [layer.outliers for layer in pbatch.quantize(heavy).report.layers] == [0]
    with pytest.raises(pbatch.errors.InvalidArgumentError):
        pbatch.quantize(heavy, outliers=0.5)


def test_a_floor_is_a_layers_least_width():
    narrow = model_of(  # a matrix of 16 columns
        [helper.make_node("MatMul", ["x", "w"], ["y"], name="narrow")],
        [("x", TensorProto.FLOAT, [1, 16])],
        [("y", TensorProto.FLOAT, [1, 300])],
        {"w": np.random.default_rng(1).standard_normal((16, 300)).astype(np.float32)},
    )
    (layer,) = pbatch.quantize(narrow).report.layers
    assert layer.min_weight_bits == 8
    layers = pbatch.quantize(narrow, floor=1).report.layers
    assert all(layer.min_weight_bits == 1 for layer in layers)


def test_runs_in_integers():
    _, model = pbatch.quantize("net.onnx", input_ranges={"x": (-4, 4)}, min_elements=1)
    session = pbatch.InferenceSession(model)
    shape = [d if isinstance(d, int) else 1 for d in session.get_inputs()[0].shape]
    x = np.clip(np.random.default_rng(5).standard_normal(shape), -4, 4).astype(np.float32)
    options = pbatch.RunOptions()
    options.add_run_config_entry("pbatch.arithmetic", "integer")
    (integers,) = session.run(None, {"x": x}, options, bits=8, abits=16)
    (floats,) = session.run(None, {"x": x}, bits=8, abits=16)
    assert np.abs(integers - floats).max() < 0.05 * np.abs(floats).max()
    _, without = pbatch.quantize("net.onnx", min_elements=1)
    with pytest.raises(pbatch.InvalidArgumentError, match="range of input 'x'"):
        pbatch.InferenceSession(without).run(None, {"x": x}, options, bits=8, abits=16)
    options.add_run_config_entry("pbatch.abits", "8s")
    with pytest.raises(pbatch.InvalidArgumentError, match="8s"):  # which asks for samples
        session.run(None, {"x": x}, options, bits=8)
    with pytest.raises(pbatch.Error):
        pbatch.quantize("net.onnx", input_ranges={"no_such": (0, 1)})
