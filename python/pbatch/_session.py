"""InferenceSession: a loaded network, ready to run at any precision."""

from __future__ import annotations

import copy
import os
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from . import _core
from ._core import PlanStep, RunOptions, SessionOptions, StepTime
from ._io_binding import IOBinding
from ._onnxruntime import CPU, CUDA, device_of
from ._source import ModelLike, path_of, settle
from ._table import Table
from .errors import InvalidArgumentError


class Plan(Table[PlanStep]):
    """The steps of a run; shows itself as a table."""

    _columns = (
        "node", "op_type", "kernel", "weight_bits", "activation_bits", "rows", "cols", "shape",
        "weight_bytes", "predicted_us", "repack",
    )  # fmt: skip


class Profile(Table[StepTime]):
    """The times of the steps of a run; shows itself as a table."""

    _columns = (
        "node", "op_type", "kernel", "us", "predicted_us", "quantize_us", "product_us",
        "epilogue_us", "weight_bytes", "macs",
    )  # fmt: skip


class InferenceSession(_core.Session):
    """A loaded network, ready to run at any precision, by the names and order of onnxruntime.

    Args:
        path_or_bytes: the path of a float ONNX network or of a pbatch model, the bytes of a float
            network, an onnx.ModelProto, or a Model as quantize() returns it.
        sess_options: threads, CPUs and more; None: the defaults. The session copies them.
        providers: onnxruntime's, in order of preference: "CPUExecutionProvider" and
            "CUDAExecutionProvider". None: ``device``.
        provider_options: one dictionary for each of ``providers``; "device_id" is read.
        device: "cpu", "cuda", "cuda:N" or "auto"; None: that of ``sess_options``.
        threads: None: those of ``sess_options``.

    Raises:
        Error: of the class that says why: NotFoundError, MalformedError, UnsupportedError, …

    Use it from any number of threads. It is a context manager, which closes it at the end.

    >>> with pbatch.InferenceSession("net.pbatch.onnx", threads=1) as session:
    ...     [y] = session.run(["y"], {"x": x}, bits=2, abits=8)
    >>> y.shape
    (1, 10)
    """

    def __init__(
        self,
        path_or_bytes: ModelLike,
        sess_options: SessionOptions | None = None,
        providers: Sequence[str | tuple[str, dict[str, Any]]] | None = None,
        provider_options: Sequence[dict[str, Any]] | None = None,
        *,
        device: str | None = None,
        threads: int | None = None,
    ) -> None:
        options = SessionOptions() if sess_options is None else copy.copy(sess_options)
        if providers is not None:
            if device is not None:
                raise InvalidArgumentError(
                    "both 'providers' and 'device' are given", remedy="give one of them"
                )
            device = device_of(providers, provider_options)
        if device is not None:
            options.device = device
        if threads is not None:
            options.threads = threads
        self._sess_options = options
        super().__init__(settle(path_or_bytes), options)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def plan(
        self,
        *,
        bits: int | None = None,
        abits: int | None = None,
        layers: dict[str, int | tuple[int, int]] | None = None,
        shapes: dict[str, Sequence[int]] | None = None,
    ) -> Plan:
        """What a run at this precision and on inputs of these shapes does, node by node.

        Free dimensions of inputs that ``shapes`` leaves out count 1. It is prepared, too.

        >>> [step.weight_bits for step in session.plan(bits=3) if step.kernel != "float"]
        [3]
        """
        return Plan(self._plan(bits, abits, layers, shapes))

    def profile(
        self,
        input_feed: dict[str, Any],
        *,
        bits: int | None = None,
        abits: int | None = None,
        layers: dict[str, int | tuple[int, int]] | None = None,
        runs: int = 20,
    ) -> Profile:
        """What every step of such a run takes, in microseconds, in the order of the run.

        The medians of ``runs`` runs after one that is not counted. What other threads and programs
        do meanwhile disturbs it. Raises as ``run`` does, and InvalidArgumentError for ``runs``
        below 1.

        >>> [step.node for step in session.profile({"x": x}, bits=3) if step.product_us > 0]
        ['fc1']
        """
        return Profile(self._profile(input_feed, bits, abits, layers, runs))

    def read_allocation(
        self, path: str | os.PathLike[str]
    ) -> dict[str, int | tuple[int, int]]:
        """The bits of every layer in a file that ``pbatch allocate`` wrote: for ``layers``.

        Raises InvalidArgumentError if it was made for other weights, MalformedError for what is no
        allocation, PrecisionUnavailableError if the model holds fewer bits, NotFoundError.

        >>> layers = session.read_allocation("net.bits.json")
        >>> list(layers)
        ['fc1']
        >>> y, = session.run(None, {"x": x}, layers=layers)
        """
        return self._read_allocation(path_of(path))

    def io_binding(self) -> IOBinding:
        """Inputs and outputs that stay in place over many runs."""
        return IOBinding(self)

    def run_with_iobinding(
        self,
        iobinding: IOBinding,
        run_options: RunOptions | None = None,
        *,
        bits: int | None = None,
        abits: int | None = None,
        layers: dict[str, int | tuple[int, int]] | None = None,
    ) -> None:
        """A run from and to what is bound."""
        iobinding._run(self, run_options, bits, abits, layers)

    def get_providers(self) -> list[str]:
        """What the session runs on, in onnxruntime's words."""
        return [CPU] if self.device == "cpu" else [CUDA, CPU]

    def get_session_options(self) -> SessionOptions:
        """The options it was opened with."""
        return self._sess_options

    def __repr__(self) -> str:
        return f"<pbatch.InferenceSession of {len(self.layers)} bit-layered matrices>"
