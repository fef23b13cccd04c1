"""precision: the precision of a block of code."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from ._core import _read_blocks_by
from .errors import InvalidArgumentError

Layers = dict[str, int | tuple[int, int]]

#: (bits, abits, layers) of the innermost block; None outside of all.
block: ContextVar[tuple[int | None, int | None, Layers] | None] = ContextVar(
    "pbatch.precision", default=None
)
_read_blocks_by(block.get)


def check_bits(bits: int | None, abits: int | None) -> None:
    """Raises InvalidArgumentError for numbers that no run can have."""
    if bits is not None and (type(bits) is not int or not (1 <= bits <= 16 or bits == 32)):
        raise InvalidArgumentError(f"'bits' is {bits!r}", remedy="give 1 to 16, or 32 for float")
    if abits is not None and (type(abits) is not int or abits not in (8, 16, 32)):
        raise InvalidArgumentError(f"'abits' is {abits!r}", remedy="give 8, 16 or 32")


@contextmanager
def precision(
    bits: int | None = None, abits: int | None = None, layers: Layers | None = None
) -> Iterator[None]:
    """The precision of the runs in a block of code that say none themselves.

    ``bits``, ``abits`` and ``layers`` are as those of InferenceSession.run; what is left out is as
    around the block. What a run is given as an argument or by its RunOptions goes before. It holds
    for this thread and asynchronous task only; sessions of any model and the modules of
    pbatch.torch read it.

    >>> with pbatch.precision(3, abits=8):
    ...     y, = session.run(None, {"x": x})
    >>> (y == session.run(None, {"x": x}, bits=3, abits=8)[0]).all()
    np.True_

    Raises InvalidArgumentError for bits that no run can have.
    """
    check_bits(bits, abits)
    outer = block.get() or (None, None, {})
    token = block.set(
        (
            outer[0] if bits is None else bits,
            outer[1] if abits is None else abits,
            {**outer[2], **(layers or {})},
        )
    )
    try:
        yield
    finally:
        block.reset(token)
