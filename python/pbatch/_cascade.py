"""Cascade: every item at few bits first, and those whose answer is unsure again at more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import _core
from ._core import Session
from .errors import InvalidArgumentError

#: The margins of the items of a run, from its outputs in the session's order: greater is surer.
MarginFunction = Callable[[list[NDArray[Any]]], Any]

_KINDS = {"top_two": 0, "band": 1, "entropy": 2, "entropy_of_probabilities": 3}


@dataclass(frozen=True)
class StageReport:
    """What one stage did in one call: items that came to it, that it answered, seconds it took."""

    items: int
    answered: int
    seconds: float


@dataclass(frozen=True)
class CascadeRun:
    """Answers of a cascade.

    Attributes:
        outputs: arrays in the order of the session's outputs.
        stage_of_item: which stage answered each item, from 0.
        stages: one StageReport for each stage.
    """

    outputs: list[NDArray[Any]]
    stage_of_item: NDArray[np.int64]
    stages: list[StageReport]


@dataclass(frozen=True)
class StageCalibration:
    """What calibration found of one stage.

    Attributes:
        threshold: items with a margin above it are answered here.
        above: of all items, those with a margin above it; ``disagree``: those of them with another
            answer than the last stage's; ``disagree_bound``: the Clopper-Pearson upper bound of
            their share of all items.
        answered: items that the cascade answers here.
    """

    threshold: float
    above: int
    disagree: int
    disagree_bound: float
    answered: int


@dataclass(frozen=True)
class CascadeCalibration:
    """What calibration found.

    Attributes:
        items: how many there were.
        stages: one StageCalibration for each stage but the last.
        agreement: share of these items that get the last stage's answer.
        agreement_bound: 1 less the bounds of the stages, the agreement asked for at least.
    """

    items: int
    stages: list[StageCalibration]
    agreement: float
    agreement_bound: float


class Cascade(_core.Cascade):
    """Every item at few bits first, and those whose answer is unsure again at more.

    Answers are those of the stage that gives them, bit for bit as a run of the item alone, in exact
    arithmetic (run option "pbatch.exact"): they do not depend on the batch.

    Args:
        session: the network; items of a batch must not influence each other.
        stages: weight bits of each stage, or (bits, abits); narrow ones first.
        margin: what makes an answer sure. "top_two": the greatest value less the second, of each
            row; "band": how far values are from ``center``; "entropy": less the entropy of the
            softmax of a row; "entropy_of_probabilities": the same of rows that hold probabilities.
            Or a function: it takes the outputs of a run, a list of arrays, and returns a margin for
            each item; an answer then is the place of the greatest value of each row.
        thresholds: margins above which stages answer, of all but the last; calibrate() finds them.
        output: the output that the margin looks at; empty: the first.
        layers: other bits for some layers at all stages, as for run.
        batch_axes: which dimension of an input or output counts items, where it is not the first;
            -1: none does.
        batch: items of one run at most; 0: all.

    Raises InvalidArgumentError, NotFoundError, ShapeMismatchError. Use it from any number of
    threads.

    >>> cascade = pbatch.Cascade(session, [2, 8], thresholds=[1.0])
    >>> answers = cascade.run({"x": np.repeat(x, 5, axis=0)})
    >>> answers.outputs[0].shape, sum(stage.answered for stage in answers.stages)
    ((5, 10), 5)
    """

    def __init__(
        self,
        session: Session,
        stages: Sequence[int | tuple[int, int]],
        *,
        margin: str | MarginFunction = "top_two",
        thresholds: Sequence[float] | None = None,
        center: float = 0.0,
        output: str = "",
        layers: dict[str, int | tuple[int, int]] | None = None,
        batch_axes: dict[str, int] | None = None,
        batch: int = 0,
    ) -> None:
        function = margin if callable(margin) else None
        kind = "top_two" if callable(margin) else margin
        if kind not in _KINDS:
            raise InvalidArgumentError(
                f"there is no margin {margin!r}", remedy=f"give one of {', '.join(_KINDS)}"
            )
        given = [0.0] * (len(stages) - 1) if thresholds is None else list(thresholds)
        if len(given) != len(stages) - 1:
            raise InvalidArgumentError(
                f"{len(given)} thresholds for {len(stages)} stages",
                remedy="give one for each stage but the last",
            )
        native = []
        for stage, threshold in zip(stages, [*given, 0.0], strict=True):
            bits, abits = (stage, 16) if isinstance(stage, int) else stage
            native.append((bits, abits, float(threshold)))
        super().__init__(
            session, native, layers or {}, _KINDS[kind], center, output, function,
            batch_axes or {}, batch,
        )  # fmt: skip

    def run(self, input_feed: dict[str, Any]) -> CascadeRun:
        """The answers for all items of ``input_feed``, arrays by name as for a session's run.

        Raises ShapeMismatchError where inputs have different numbers of items, else as a run does.
        """
        outputs, stage_of_item, stages = self._run(input_feed)
        return CascadeRun(
            outputs, np.asarray(stage_of_item, np.int64), [StageReport(*s) for s in stages]
        )

    def calibrate(
        self, inputs: dict[str, Any], agreement: float = 0.999, confidence: float = 0.95
    ) -> CascadeCalibration:
        """Sets the thresholds by items without labels, so that the share ``agreement`` of items like
        these gets the last stage's answer, with that confidence (Clopper-Pearson bounds).

        Raises InvalidArgumentError, with the number that it takes, for too few items.

        >>> cascade = pbatch.Cascade(session, [2, 8])
        >>> found = cascade.calibrate({"x": np.repeat(x, 100, axis=0)}, agreement=0.9)
        >>> found.agreement, found.agreement_bound >= 0.9
        (1.0, True)
        """
        items, stages, agreed, bound = self._calibrate(inputs, agreement, confidence)
        return CascadeCalibration(items, [StageCalibration(*s) for s in stages], agreed, bound)
