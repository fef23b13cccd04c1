"""Datasets of Ray Data through a network: ``Predictor`` for ``map_batches``, and ``predict_files``,
which goes on where it stopped."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._core import RunOptions
from ._session import InferenceSession
from ._source import ModelLike
from .errors import InvalidArgumentError, UnsupportedError


class Predictor:
    """A network for ``ray.data.Dataset.map_batches``: batches in, batches with its outputs out.

    Runs are in exact arithmetic, so the answer for a row depends neither on its batch nor on the worker.

    Args:
        model: as of InferenceSession; a path is opened by each worker.
        bits, abits, layers: as of run.
        columns: the column that each input reads, {input: column}; left out: of the input's name.
        keep: whether the columns that were read stay in the batch.
        threads: of one worker.

    >>> predictor = pbatch.data.Predictor("net.pbatch.onnx", bits=3, columns={"x": "features"})
    >>> batch = predictor({"features": np.repeat(x, 4, axis=0), "name": np.arange(4)})
    >>> sorted(batch), batch["y"].shape
    (['name', 'y'], (4, 10))

    With Ray: ``dataset.map_batches(pbatch.data.Predictor, fn_constructor_args=["net.pbatch.onnx"],
    fn_constructor_kwargs={"bits": 3}, batch_size=64, concurrency=2)``.
    """

    def __init__(
        self,
        model: ModelLike,
        *,
        bits: int | None = None,
        abits: int | None = None,
        layers: dict[str, int | tuple[int, int]] | None = None,
        columns: dict[str, str] | None = None,
        keep: bool = False,
        threads: int = 1,
    ) -> None:
        self._session = InferenceSession(model, threads=threads)
        self._precision: dict[str, Any] = {"bits": bits, "abits": abits, "layers": layers}
        given = columns or {}
        ports = self._session.get_inputs()
        for name in given:
            if name not in {p.name for p in ports}:
                raise InvalidArgumentError(
                    f"the network has no input '{name}'",
                    remedy="its inputs are " + ", ".join(p.name for p in ports),
                )
        self._columns = {
            p.name: given.get(p.name, p.name) for p in ports if not p.optional or p.name in given
        }
        self._types = {p.name: np.dtype(p.dtype) for p in ports}
        self._outputs = [p.name for p in self._session.get_outputs()]
        self._keep = keep
        self._options = RunOptions()
        self._options.add_run_config_entry("pbatch.exact", "1")

    def __call__(self, batch: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        feed = {}
        for name, column in self._columns.items():
            if column not in batch:
                raise InvalidArgumentError(
                    f"the batch has no column '{column}'",
                    remedy=f"it has {', '.join(batch)}; 'columns' says which an input reads",
                )
            feed[name] = np.ascontiguousarray(batch[column], self._types[name])
        arrays = self._session.run(None, feed, self._options, **self._precision)
        read = set(self._columns.values())
        rest = {c: a for c, a in batch.items() if self._keep or c not in read}
        return {**rest, **dict(zip(self._outputs, arrays, strict=True))}


def result_path(source: str | os.PathLike[str], folder: str | os.PathLike[str]) -> pathlib.Path:
    """Where the outputs for ``source`` are: its name with .npz, in ``folder``."""
    return pathlib.Path(folder) / (pathlib.Path(source).stem + ".npz")


class _FilePredictor:
    """A file with an array of items becomes a file with the outputs: whole, or not there."""

    def __init__(self, model: ModelLike, folder: str, batch: int, settings: dict[str, Any]) -> None:
        self._predictor = Predictor(model, **settings)
        self._folder = folder
        self._batch = batch

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        source = row["path"]
        items = np.load(source, mmap_mode="r", allow_pickle=False)
        [column] = self._predictor._columns.values()
        parts = [
            self._predictor({column: items[at : at + self._batch]})
            for at in range(0, len(items), self._batch)
        ]
        outputs = {n: np.concatenate([p[n] for p in parts]) for n in self._predictor._outputs}
        target = result_path(source, self._folder)
        unfinished = target.with_suffix(f".{os.getpid()}.part")
        try:
            with open(unfinished, "wb") as file:
                save: Any = np.savez  # whose keyword of its own confuses mypy
                save(file, **outputs)
            os.replace(unfinished, target)
        finally:
            unfinished.unlink(missing_ok=True)
        return {"path": source, "items": len(items)}


def predict_files(
    model: ModelLike,
    sources: Sequence[str | os.PathLike[str]],
    folder: str | os.PathLike[str],
    *,
    batch: int = 64,
    workers: int = 1,
    **settings: Any,
) -> int:
    """The outputs for files of items (.npy, the first dimension counts them), on a cluster of Ray.

    Each file gets one of the same name in ``folder``, an .npz with an array for each output, which
    appears whole. Files that have one already are left out, so that a run that was stopped goes on
    where it was. For networks with one input.

    Args:
        batch: items of a run. workers: processes. settings: those of Predictor.

    Returns how many files were done now. Raises UnsupportedError without Ray, InvalidArgumentError for
    two sources of one name.
    """
    try:
        import ray
    except ImportError as error:
        raise UnsupportedError(
            f"datasets stand on Ray: {error}", remedy="pip install 'precisionbatching[data]'"
        ) from None
    paths = [os.fspath(s) for s in sources]
    targets = [result_path(p, folder) for p in paths]
    if len(set(targets)) < len(targets):
        raise InvalidArgumentError("two sources have one name", remedy="rename one, or use folders")
    pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
    todo = [{"path": p} for p, t in zip(paths, targets, strict=True) if not t.exists()]
    if not todo:
        return 0
    done = ray.data.from_items(todo, override_num_blocks=len(todo)).map(
        _FilePredictor,
        fn_constructor_args=[model, os.fspath(folder), batch, settings],
        concurrency=workers,
    )
    return len(done.take_all())
