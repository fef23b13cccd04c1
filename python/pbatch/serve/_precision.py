"""The request parameters that say how a request is run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ._protocol import bad


@dataclass(frozen=True)
class Wanted:
    """What a request says; it is also what requests of one run have in common.

    ``bits`` None: the server chooses. ``layers``: (name, bits, abits) sorted; abits 0: as the run.
    ``cascade``: its stages, as (bits, threshold).
    """

    bits: int | None = None
    abits: int | None = None
    layers: tuple[tuple[str, int, int], ...] = ()
    cascade: tuple[tuple[int, float], ...] = ()

    @property
    def is_free(self) -> bool:
        return self == _FREE


_FREE = Wanted()


def parse_cascade(text: str) -> tuple[tuple[int, float], ...]:
    """ "2:1.5,8": 2 bits for margins above 1.5, else 8."""
    stages = []
    parts = text.split(",")
    for i, part in enumerate(parts):
        bits, _, threshold = part.partition(":")
        try:
            last = i + 1 == len(parts)
            stages.append((int(bits), 0.0 if last and not threshold else float(threshold)))
        except ValueError:
            raise bad(f"cascade '{text}' is not like 2:1.5,8") from None
    if len(stages) < 2 or not all(1 <= bits <= 16 for bits, _ in stages):
        raise bad(f"cascade '{text}' is not like 2:1.5,8")
    return tuple(stages)


def _layers(text: Any) -> tuple[tuple[str, int, int], ...]:
    layers = []
    for part in str(text).split(";"):
        name, equals, bits = part.rpartition("=")
        wide, _, abits = bits.partition(",")
        try:
            layers.append((name, int(wide), int(abits or 0)))
        except ValueError:
            equals = ""
        if not equals:
            raise bad(f"parameter 'layers' is '{text}', not like fc1=3,8;fc2=4")
    return tuple(sorted(layers))


def _integer(parameters: dict[str, Any], name: str, allowed: range | tuple[int, ...]) -> int | None:
    value = parameters.get(name)
    if value is None:
        return None
    if type(value) is not int or value not in allowed:
        raise bad(f"parameter '{name}' is {value!r}")
    return value


def read_wanted(parameters: dict[str, Any], cascade: str) -> Wanted:
    """``cascade``: the model's own, for requests that say true."""
    bits = _integer(parameters, "bits", (*range(1, 17), 32))
    abits = _integer(parameters, "abits", (8, 16, 32))
    layers = _layers(parameters["layers"]) if parameters.get("layers") else ()
    asked = parameters.get("cascade", False)
    if asked is False or asked == "":
        return Wanted(bits, abits, layers)
    if bits is not None:
        raise bad("parameters 'bits' and 'cascade' exclude each other")
    if asked is True and not cascade:
        raise bad("the model has no cascade of its own; give one like 2:1.5,8")
    return Wanted(None, abits, layers, parse_cascade(cascade if asked is True else str(asked)))


def read_deadline(parameters: dict[str, Any]) -> float | None:
    """Seconds from now."""
    value = parameters.get("deadline_ms")
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 1e9:
        raise bad(f"parameter 'deadline_ms' is {value!r}")
    return value / 1000
