"""sweep, and the command line inside the package."""

import subprocess
import sys

import numpy as np
import pytest
from conftest import expected

import pbatch
from pbatch import _program


@pytest.fixture(scope="module")
def labelled():
    x = np.random.default_rng(2).standard_normal((50, 64)).astype(np.float32)
    return x, expected(x).argmax(1)


def test_labels_give_accuracy(labelled):
    x, labels = labelled
    report = pbatch.sweep("net.pbatch.onnx", x, labels, bits=[1, 8], abits=[8, 16], seconds=0,
                          threads=1)  # fmt: skip
    kinds = [(r["weight_bits"], r["activation_bits"], r["metric"]) for r in report.results]
    assert kinds == [(32, 32, "accuracy"), (1, 8, "accuracy"), (1, 16, "accuracy"),
                     (8, 8, "accuracy"), (8, 16, "accuracy")]  # fmt: skip
    assert report.results[0]["value"] == 1.0
    assert report.results[4]["value"] >= 0.9
    assert report.planned == []  # one layer, which has one width
    assert report.layer_widths == [1, 8]
    assert report.layers[0]["name"] == "fc1"
    assert report.conditions["threads"] == 1
    assert repr(report).splitlines()[0].split()[:3] == ["weight_bits", "activation_bits", "metric"]


def test_everything_may_come_from_memory(labelled, tmp_path):
    x, _ = labelled
    for model in (pbatch.quantize("net.onnx").model, open("net.onnx", "rb").read()):
        report = pbatch.sweep(model, inputs={"x": x[:1]}, bits="2:3", seconds=0,
                              layers={"fc1": (6, 8)}, float_model="net.onnx")  # fmt: skip
        assert [r["weight_bits"] for r in report.results] == [32, 2, 3]
        assert report.results[1]["metric"] == "rel_error"
    report.save(tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text().startswith("<!")
    assert report._repr_html_().startswith("<iframe")


def test_errors_of_the_program_have_their_class(labelled):
    with pytest.raises(pbatch.NotFoundError) as caught:
        pbatch.sweep("no_such.onnx")
    assert caught.value.file == "no_such.onnx"
    with pytest.raises(pbatch.InvalidArgumentError):
        pbatch.sweep("net.onnx", bits=0)
    with pytest.raises(pbatch.InvalidArgumentError):
        pbatch.sweep("net.onnx", bits=[])
    with pytest.raises(pbatch.InvalidArgumentError, match="no array of numbers"):
        pbatch.sweep("net.onnx", np.array([object()]), labelled[1])
    with pytest.raises(pbatch.PrecisionUnavailableError):
        pbatch.sweep(pbatch.quantize("net.onnx", planes=2).model, bits=3)


def test_tables_and_plots(labelled):
    report = pbatch.sweep("net.onnx", bits=[2, 4], seconds=0)
    pandas = pytest.importorskip("pandas")
    assert isinstance(report.to_pandas(), pandas.DataFrame)
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("agg")
    axes = report.plot()
    assert axes.get_ylabel() == "rel_error"
    assert len(axes.lines) == 2  # a line for each kind of activations, float among them
    shown = {text.get_text() for text in axes.texts}
    assert shown == {"2", "4"}
    axes.figure.canvas.draw()  # labels of the axes are made when it is drawn
    labels = [t.get_text() for t in axes.get_xticklabels(which="both") if t.get_text()]
    assert labels and all("×" not in label and "^" not in label for label in labels)
    assert report.plot(axes) is axes


def test_the_command_line_comes_with_the_package():
    for command in ([_program.PROGRAM], [sys.executable, "-m", "pbatch"]):
        said = subprocess.run([*command, "--version"], capture_output=True, text=True, check=True)
        assert said.stdout == f"pbatch {pbatch.__version__}\n"
