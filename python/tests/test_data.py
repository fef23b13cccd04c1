"""pbatch.data: batches through a network, and files that are done once."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

import pbatch
import pbatch.data


def items(count, seed=2):
    return np.random.default_rng(seed).standard_normal((count, 64)).astype(np.float32)


def test_a_batch_gets_the_outputs_of_its_rows(session):
    x = items(20)
    predictor = pbatch.data.Predictor("net.pbatch.onnx", bits=3, columns={"x": "features"})
    batch = predictor({"features": x, "name": np.arange(20)})
    assert sorted(batch) == ["name", "y"]
    options = pbatch.RunOptions()
    options.add_run_config_entry("pbatch.exact", "1")
    for i in range(20):
        alone = session.run(None, {"x": x[i : i + 1]}, options, bits=3)[0]
        assert batch["y"][i].tobytes() == alone[0].tobytes()
    kept = pbatch.data.Predictor("net.pbatch.onnx", keep=True)({"x": x.astype(np.float64)})
    assert sorted(kept) == ["x", "y"]


def test_columns_that_are_not_there():
    with pytest.raises(pbatch.InvalidArgumentError, match="no input 'z'"):
        pbatch.data.Predictor("net.pbatch.onnx", columns={"z": "x"})
    with pytest.raises(pbatch.InvalidArgumentError, match="no column 'x'"):
        pbatch.data.Predictor("net.pbatch.onnx")({"features": items(1)})


def test_a_file_becomes_one_whole_or_none(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    x = items(10)
    np.save(tmp_path / "a.npy", x)
    predict = pbatch.data._FilePredictor("net.pbatch.onnx", str(out), 4, {"bits": 2})
    assert predict({"path": str(tmp_path / "a.npy")})["items"] == 10
    with np.load(pbatch.data.result_path("a.npy", out)) as made:
        whole = pbatch.data.Predictor("net.pbatch.onnx", bits=2)({"x": x})
        assert (made["y"] == whole["y"]).all()
    np.save(tmp_path / "bad.npy", x[:, :3])
    with pytest.raises(pbatch.ShapeMismatchError):
        predict({"path": str(tmp_path / "bad.npy")})
    assert os.listdir(out) == ["a.npz"]


def test_what_is_done_stays_done(tmp_path, folder):
    ray = pytest.importorskip("ray", reason="ray is not installed")
    pytest.importorskip("ray.data", reason="ray[data] is not installed")
    for name in "abc":
        np.save(tmp_path / f"{name}.npy", items(6, ord(name)))
    sources = [tmp_path / f"{name}.npy" for name in "abc"]
    model, out = str(folder / "net.pbatch.onnx"), tmp_path / "out"
    ray.init(num_cpus=2, include_dashboard=False)
    try:
        assert pbatch.data.predict_files(model, sources[:2], out, bits=4) == 2
        before = (out / "a.npz").stat().st_mtime_ns
        (out / "b.npz").unlink()
        assert pbatch.data.predict_files(model, sources, out, bits=4) == 2
        assert (out / "a.npz").stat().st_mtime_ns == before
        assert pbatch.data.predict_files(model, sources, out, bits=4) == 0
    finally:
        ray.shutdown()
    expected = pbatch.data.Predictor(model, bits=4)({"x": items(6, ord("c"))})["y"]
    with np.load(out / "c.npz") as made:
        assert (made["y"] == expected).all()
    with pytest.raises(pbatch.InvalidArgumentError, match="one name"):
        pbatch.data.predict_files(model, [tmp_path / "a.npy", tmp_path / "x" / "a.npy"], out)


def test_a_sweep_on_a_cluster_is_that_of_one_process(folder):
    pytest.importorskip("ray", reason="ray is not installed")
    done = subprocess.run(
        [sys.executable, "-m", "pbatch", "sweep", "net.pbatch.onnx", "--ray", "--random", "3",
         "--seconds", "0", "--json", "-", "--bits", "2,4:5"],
        capture_output=True, text=True, cwd=folder,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    alone = pbatch.sweep("net.pbatch.onnx", bits=[2, 4, 5], seed=3, seconds=0, threads=1)
    assert [r["weight_bits"] for r in said["results"]] == [32, 2, 4, 5]
    assert [r["value"] for r in said["results"]] == [r["value"] for r in alone.results]
    assert said["layer_widths"] == alone.layer_widths
    assert said["layers"] == alone.layers
