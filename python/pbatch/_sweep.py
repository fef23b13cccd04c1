"""sweep: a network at every precision, side by side."""

from __future__ import annotations

import html
import os
import pathlib
import tempfile
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np

from . import _program
from ._core import Model
from ._source import ModelLike, path_of, settle
from ._table import text_table, to_pandas
from .errors import InvalidArgumentError

Widths: TypeAlias = "int | str | Iterable[int]"
#: A path of .npy or IDX data (also .gz), an array, or either for each input by name.
Data: TypeAlias = "str | os.PathLike[str] | dict[str, Any] | Any"

_COLUMNS = ("weight_bits", "activation_bits", "metric", "value", "latency_us", "speedup_vs_f32",
            "weight_bytes")  # fmt: skip


class SweepReport:
    """A network at every precision. Shows itself as a table; in a notebook as the HTML page.

    Attributes:
        results: one dictionary for each precision, the float network first: "weight_bits",
            "activation_bits", "metric" ("accuracy", "mse" or "rel_error"), "value",
            "latency_us" (median of one item, microseconds), "speedup_vs_f32" and
            "weight_bytes" (read by one run); without labels also "max_abs_error",
            "mean_abs_error" and "cosine"; "baseline" in that of int8.
        planned: the same for widths that the sweep chose layer by layer, "allocation" of which is
            "planned N": least error with no more bytes than N bits in all layers.
        layer_widths: widths, in bits.
        layers: one dictionary for each layer: "name", and "rel_error", one for each of these
            widths: how far the outputs are from float when only this layer runs at the width.
        conditions: "cpu", "isa", "threads", "date", "pbatch_version", "command" and more.
        html: the page, which needs nothing else.
    """

    results: list[dict[str, Any]]
    planned: list[dict[str, Any]]
    layer_widths: list[int]
    layers: list[dict[str, Any]]
    conditions: dict[str, Any]
    html: str

    def __init__(self, said: dict[str, Any], page: str) -> None:
        self.results = said.pop("results")
        self.planned = said.pop("planned")
        for row in (*self.results, *self.planned):
            if "metric" not in row:  # without labels
                row.update(metric="rel_error", value=row.get("rel_error"))
        self.layer_widths = said.pop("layer_widths")
        self.layers = said.pop("layers")
        del said["page"]
        self.conditions = said
        self.html = page

    def __repr__(self) -> str:
        rows = [
            [f"{v:.6g}" if isinstance(v, float) else str(v) for v in map(row.get, _COLUMNS)]
            for row in self.results
        ]
        return text_table(_COLUMNS, rows)

    def _repr_html_(self) -> str:
        # A frame keeps the page's style to itself.
        return (
            f'<iframe srcdoc="{html.escape(self.html)}" style="width: 100%; height: 60em; '
            f'border: 0" sandbox="allow-scripts"></iframe>'
        )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the page."""
        pathlib.Path(path).write_text(self.html, encoding="utf-8")

    def to_pandas(self) -> Any:
        """A pandas.DataFrame of ``results``. Raises ImportError where pandas is not installed."""
        return to_pandas(self.results)

    def plot(self, ax: Any = None) -> Any:
        """The metric against latency. Returns the axes; raises ImportError without matplotlib."""
        import matplotlib.ticker

        if ax is None:
            import matplotlib.pyplot

            _, ax = matplotlib.pyplot.subplots()
        for abits in sorted({row["activation_bits"] for row in self.results}):
            rows = [r for r in self.results if r["activation_bits"] == abits]
            ax.plot(
                [r["latency_us"] for r in rows],
                [float("nan") if r["value"] is None else r["value"] for r in rows],
                marker="o",
                label="float" if abits == 32 else f"{abits}-bit activations",
            )
            for r in rows:
                if r["weight_bits"] != 32 and r["value"] is not None:
                    ax.annotate(str(r["weight_bits"]), (r["latency_us"], r["value"]))
        ax.set_xscale("log")
        plain = matplotlib.ticker.FuncFormatter(lambda value, _: f"{value:g}")
        ax.xaxis.set_major_formatter(plain)
        ax.xaxis.set_minor_formatter(plain)
        ax.set_xlabel("latency of one item, µs")
        ax.set_ylabel(self.results[0]["metric"])
        ax.legend()
        return ax


def _widths(name: str, widths: Widths) -> str:
    if isinstance(widths, str):
        return widths
    try:
        numbers = [widths] if isinstance(widths, int) else [int(w) for w in widths]
    except (TypeError, ValueError):
        numbers = []
    if not numbers:
        raise InvalidArgumentError(f"'{name}' has no widths", remedy="give e.g. 4 or range(1, 9)")
    return ",".join(map(str, numbers))


class _Files:
    """What a command reads as files: models and arrays of this process go into a folder."""

    def __init__(self, folder: str) -> None:
        self._folder = pathlib.Path(folder)
        self._arrays = 0

    def model(self, model: ModelLike, stem: str) -> str:
        source = settle(model)
        if isinstance(source, str):
            return source
        path = self._folder / f"{stem}.onnx"
        if isinstance(source, Model):
            source.save(path)
        else:
            path.write_bytes(source)
        return str(path)

    def array(self, data: Any) -> str:
        if isinstance(data, (str, os.PathLike)):
            return path_of(data)
        array = np.asarray(data)
        if array.dtype.hasobject:
            raise InvalidArgumentError("the data is no array of numbers", remedy="convert it first")
        self._arrays += 1
        path = self._folder / f"{self._arrays}.npy"
        np.save(path, array, allow_pickle=False)
        return str(path)

    def named(self, option: str, data: Data) -> list[str]:
        if not isinstance(data, dict):
            return [option, self.array(data)]
        return [x for name, value in data.items() for x in (option, f"{name}={self.array(value)}")]


def sweep(
    model: ModelLike,
    data: Data | None = None,
    labels: Data | None = None,
    *,
    bits: Widths | None = None,
    abits: Widths = 16,
    layers: dict[str, int | tuple[int, int]] | None = None,
    inputs: dict[str, Any] | None = None,
    seed: int | None = None,
    float_model: ModelLike | None = None,
    int8: bool = False,
    limit: int | None = None,
    batch: int | None = None,
    seconds: float | None = None,
    threads: int | None = None,
    cpus: Sequence[int] = (),
    device: str = "cpu",
) -> SweepReport:
    """A network at every precision: accuracy or error, latency and size, side by side.

    It runs ``pbatch sweep`` as a process of its own, which measures what the command line does.

    Args:
        model: a pbatch model, or a float network, which is quantized in memory: a path, bytes, an
            onnx.ModelProto or a Model.
        data: items, whose first dimension counts them, as an array or a path of .npy or IDX data;
            {name: items} for a network with several inputs. With ``labels``: class numbers give the
            accuracy, float targets the mean squared error.
        bits: weight bits: a number, several, or text such as "1:8"; None: 1 to 8, or as many as
            there are.
        abits: activation bits, of 8, 16, 32.
        layers: other bits for some layers, {name: bits} or {name: (bits, abits)}.
        inputs: without ``data``: arrays for one run, {name: array}. ``seed`` makes random ones;
            if neither is given, the seed is 1.
        float_model: the float network to compare with; None: the one that the model names.
        int8: beside them the float network in int8, by oneDNN.
        limit: only the first items. batch: items a run when accuracy is measured.
        seconds: timed work per row, about. threads, cpus, device: as of InferenceSession.

    Raises:
        Error: of the class that says why.

    >>> report = pbatch.sweep("net.onnx", bits=[2, 4], seconds=0)
    >>> [row["weight_bits"] for row in report.results]
    [32, 2, 4]
    >>> report.results[1]["metric"]
    'rel_error'
    """
    with tempfile.TemporaryDirectory(prefix="pbatch-") as folder:
        files = _Files(folder)
        page = pathlib.Path(folder) / "page.html"
        arguments = ["sweep", files.model(model, "model"), "-o", str(page), "--device", device]
        arguments += ["--abits", _widths("abits", abits)]
        if bits is not None:
            arguments += ["--bits", _widths("bits", bits)]
        for name, precision in (layers or {}).items():
            arguments += ["--layer", f"{name}={_layer(precision)}"]
        if data is not None:
            arguments += files.named("--data", data)
        if labels is not None:
            arguments += ["--labels", files.array(labels)]
        if inputs is not None:
            arguments += files.named("--input", inputs)
        elif data is None and labels is None:
            arguments += ["--random", str(1 if seed is None else seed)]
        if float_model is not None:
            arguments += ["--float", files.model(float_model, "float")]
        if int8:
            arguments.append("--int8")
        for option, value in (
            ("--limit", limit), ("--batch", batch), ("--seconds", seconds), ("--threads", threads),
        ):  # fmt: skip
            if value is not None:
                arguments += [option, str(value)]
        if cpus:
            arguments += ["--cpus", ",".join(map(str, cpus))]
        said = _program.run(arguments)
        return SweepReport(said, page.read_text(encoding="utf-8"))


def _layer(precision: int | tuple[int, int]) -> str:
    return str(precision) if isinstance(precision, int) else ",".join(map(str, precision))
