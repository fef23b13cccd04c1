"""quantize: a float network becomes bit-layers."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from . import _core
from ._core import LayerReport, Model
from ._source import ModelLike, path_of, settle
from ._table import html_table, text_table, to_pandas
from .errors import InvalidArgumentError


class QuantizeReport:
    """What quantization made of every matrix; shows itself as a table.

    Attributes:
        layers: one LayerReport for each matrix that could be quantized.
        float_bytes: bytes of these matrices before, as float32.
        model_bytes, data_bytes: bytes of the model and of its data.
        model_path, data_path: the files written; empty for a model in memory.
        statistics: what compensated codes were fitted to, such as "its own text"; or empty.
        plain_reason: why the scheme "auto" was the plain one; or empty.
    """

    layers: list[LayerReport]
    float_bytes: int
    model_bytes: int
    data_bytes: int
    model_path: str
    data_path: str
    statistics: str
    plain_reason: str

    def __init__(self, result: _core.QuantizeResult) -> None:
        self.layers = result.layers
        self.float_bytes = result.float_bytes
        self.model_bytes = result.model_bytes
        self.data_bytes = result.data_bytes
        self.model_path = result.model_path
        self.data_path = result.data_path
        self.statistics = result.statistics
        self.plain_reason = result.plain_reason

    def _header(self) -> list[str]:
        widths = max((len(layer.sqnr_db) for layer in self.layers), default=0)
        return ["layer", "operator", "rows", "cols", "bytes/plane"] + [
            f"{w} bit dB" for w in range(1, widths + 1)
        ]

    def _cells(self) -> list[list[str]]:
        width = len(self._header())
        rows = []
        for x in self.layers:
            row = [x.name, x.op_type, str(x.rows), str(x.cols)]
            if x.quantized:
                row += [str(x.plane_bytes), *(f"{db:.1f}" for db in x.sqnr_db)]
            else:
                row += ["float"]
            rows.append(row + [""] * (width - len(row)))
        return rows

    def _notes(self) -> list[str]:
        kept = [f"stays float: {x.name}: {x.reason}" for x in self.layers if not x.quantized]
        codes = [f"compensated codes, fitted to {self.statistics}"] if self.statistics else []
        if self.plain_reason:
            codes = [f"plain codes: {self.plain_reason}"]
        return [
            *kept,
            *codes,
            f"{self.model_bytes + self.data_bytes} bytes; "
            f"the matrices took {self.float_bytes} as floats",
        ]

    def __repr__(self) -> str:
        return "\n".join([text_table(self._header(), self._cells()), *self._notes()])

    def _repr_html_(self) -> str:
        table = html_table(self._header(), self._cells())
        return table + html_table(["notes"], [[note] for note in self._notes()])

    def to_pandas(self) -> Any:
        """A pandas.DataFrame, a row a matrix. Raises ImportError where pandas is not installed."""
        names = [n for n in dir(LayerReport) if not n.startswith("_")]
        return to_pandas([{n: getattr(layer, n) for n in names} for layer in self.layers])


class Quantized(NamedTuple):
    """What quantize() returns; shows itself as its report.

    ``model`` is a Model in memory, or the path of the one written. InferenceSession takes either.
    """

    report: QuantizeReport
    model: Model | str

    def __repr__(self) -> str:
        return repr(self.report)

    def _repr_html_(self) -> str:
        return self.report._repr_html_()


def _group(group: int | str) -> int:
    if group == "auto":
        return int(_core.AUTO_GROUP)
    if isinstance(group, bool) or not isinstance(group, int) or group not in (0, 32, 64, 128):
        raise InvalidArgumentError(
            f"there is no group {group!r}", remedy="use 32, 64, 128, 0 for whole rows, or 'auto'"
        )
    return group


def quantize(
    model: ModelLike,
    path: str | os.PathLike[str] | None = None,
    planes: int = 8,
    group: int | str = "auto",
    min_elements: int = 4096,
    exclude: Iterable[str] = (),
    threads: int | None = None,
    scheme: str = "auto",
    samples: Any = None,
    floor: int = 8,
    outliers: float = 0.0,
    row_sums: float = 0.03,
    input_ranges: Mapping[str, tuple[float, float]] | None = None,
) -> Quantized:
    """Turns a float network into bit-layers. Needs no data and retrains nothing.

    Args:
        model: a path, the bytes of an .onnx file, or an onnx.ModelProto.
        path: where to write the model, ending in .onnx; its data goes beside it as .safetensors,
            both or neither. None: it stays in memory.
        planes: bit-layers stored per matrix, 1 to 16; the greatest width that it can run at.
        group: columns per scale: 32, 64, 128, 0 for whole rows; "auto" takes 32 for matrices of up
            to 262,144 weights and 64 for larger ones.
        min_elements: smaller matrices stay float.
        exclude: names of nodes that stay float; '*' matches any run of characters.
        threads: None: one per CPU that this process may use.
        scheme: how weights become codes: "plain", every weight by itself; "compensated", codes that
            make up for each other's errors on what the products read; "auto", compensated where that
            is known to help, else plain. Size and speed are the same.
        samples: inputs to take statistics of for compensated codes, in place of those that the
            network makes of itself: an array, or {input: array}. The first dimension counts items;
            no labels.
        floor: bits that runs read at least of tables, matrices of at most 32 columns and small
            output layers; 1: no floor.
        outliers: share of the weights, up to 0.01, that may be kept apart from their codes in
            matrices with heavy tails, where it pays; 0: none, which GPUs need.
        row_sums: what the mean of a product's inputs is taken to count, 0 to 1, against their
            variance: plain codes keep sums of errors small; 0: each weight by itself.
        input_ranges: the least and the greatest number of inputs, by name, for runs in integer
            arithmetic (run option "pbatch.arithmetic"), beside what the samples show.

    Raises:
        Error: of the class that says why.

    >>> report, model = pbatch.quantize("net.onnx", planes=6)
    >>> [(layer.name, layer.quantized) for layer in report.layers]
    [('fc1', True), ('fc2', False)]
    >>> pbatch.InferenceSession(model).max_weight_bits
    6
    """
    source = settle(model)
    if isinstance(source, Model):
        raise InvalidArgumentError(
            "it is a pbatch model already",
            remedy="quantize the float network that it was made from",
        )
    if threads is None:
        threads = len(os.sched_getaffinity(0))
    for name, value, least in (("threads", threads, 1), ("min_elements", min_elements, 0)):
        if value < least:
            raise InvalidArgumentError(f"'{name}' is {value}", remedy=f"give {least} or more")
    if not 1 <= floor <= 16:
        raise InvalidArgumentError(f"'floor' is {floor}", remedy="give 1 to 16")
    if not 0 <= outliers <= 0.01:
        raise InvalidArgumentError(f"'outliers' is {outliers}", remedy="give 0 to 0.01")
    if not 0 <= row_sums <= 1:
        raise InvalidArgumentError(f"'row_sums' is {row_sums}", remedy="give 0 to 1")
    if samples is None:
        named: list[tuple[str, Any]] = []
    else:
        named = list(samples.items()) if isinstance(samples, Mapping) else [("", samples)]
    options = _core.QuantizeOptions(
        planes,
        _group(group),
        min_elements,
        [exclude] if isinstance(exclude, str) else list(exclude),
        threads,
        floor,
        outliers,
        row_sums,
        scheme,
        named,
        [(name, float(least), float(most)) for name, (least, most) in (input_ranges or {}).items()],
    )
    if path is not None and isinstance(source, str):
        result = _core.quantize_file(source, path_of(path), options)
        return Quantized(QuantizeReport(result), result.model_path)
    if isinstance(source, str):
        result, made = _core.quantize_to_memory(source, options)
    else:
        result, made = _core.quantize_from_memory(source, options)
    report = QuantizeReport(result)
    if path is None:
        return Quantized(report, made)
    report.model_path, report.data_path = made.save(path)
    return Quantized(report, report.model_path)
