"""``pbatch sweep --ray``: the widths and layers of a sweep as tasks on a cluster of Ray."""

from __future__ import annotations

import argparse
import json
import os
import socket
import sys
import tempfile
from collections.abc import Sequence
from typing import Any

from . import _program
from ._session import InferenceSession
from .errors import Error, InvalidArgumentError, UnsupportedError

COLUMNS = ("layer", "weight_bits", "activation_bits", "metric", "value", "latency_us", "host")


def _widths(text: str) -> list[int]:
    """Of "1:8" or "1,2,4"."""
    try:
        widths: list[int] = []
        for part in text.split(","):
            first, _, last = part.partition(":")
            widths.extend(range(int(first), int(last or first) + 1))
        return widths
    except ValueError:
        raise InvalidArgumentError(f"'{text}' are no bits", remedy="give e.g. 1:8 or 1,2,4") from None


def _row(arguments: list[str], layer: str) -> dict[str, Any]:
    """What ``pbatch sweep`` says of one width; where it was run."""
    with tempfile.TemporaryDirectory(prefix="pbatch-") as folder:
        said = _program.run(["sweep", *arguments, "-o", os.path.join(folder, "page.html")])
    for row in said["results"]:
        row.update(layer=layer, host=socket.gethostname())
    return said


def spread(
    arguments: Sequence[str], tasks: Sequence[tuple[str, list[str]]], threads: int,
    address: str | None = None,
) -> dict[str, Any]:
    """A sweep whose tasks, (layer, options), run on a cluster; results in the order of the tasks. Rows of
    the float network, which every task has, stand there once. Paths must lead to the files on every node.
    Raises UnsupportedError without Ray, and what a task raises."""  # fmt: skip
    try:
        import ray
    except ImportError as error:
        raise UnsupportedError(
            f"a cluster stands on Ray: {error}", remedy="pip install 'precisionbatching[data]'"
        ) from None
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if not ray.is_initialized():
        ray.init(address=address, include_dashboard=False, log_to_driver=False)
    run = ray.remote(num_cpus=threads, max_retries=3)(_row)
    fixed = [*arguments, "--threads", str(threads)]
    try:
        parts = ray.get([run.remote([*fixed, *options], layer) for layer, options in tasks])
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, Error):
            raise error.cause from None
        raise
    merged = dict(parts[0])
    floats = [row for row in parts[0]["results"] if row["weight_bits"] == 32]
    merged["results"] = floats + [
        row for part in parts for row in part["results"] if row["weight_bits"] != 32
    ]
    return merged


def main(given: Sequence[str]) -> int:
    """The command line. Options that are not named here go to ``pbatch sweep`` on the nodes."""
    parser = argparse.ArgumentParser(prog="pbatch sweep --ray", allow_abbrev=False, description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--ray", action="store_true")
    parser.add_argument("--ray-address", help="a cluster that runs; default: one of its own")
    parser.add_argument("--bits", metavar="LIST", help="default: all that there are")
    parser.add_argument("--each-layer", action="store_true",
                        help="every layer alone at these widths, the others at their full one")
    parser.add_argument("--threads", type=int, default=1, help="of a task; default 1")
    parser.add_argument("--json", metavar="FILE", help="the results; '-' for standard output")
    args, rest = parser.parse_known_args(given)
    model = os.path.abspath(args.model)
    try:
        if "-o" in rest or "--output" in rest:
            raise InvalidArgumentError("a sweep on a cluster makes no page", remedy="give --json FILE")
        with InferenceSession(model, threads=1) as session:
            most = session.max_weight_bits or 8
            layers = [layer.name for layer in session.layers]
        widths = _widths(args.bits) if args.bits else list(range(1, most + 1))
        tasks = [("", ["--bits", str(w)]) for w in widths]
        if args.each_layer:
            tasks = [(name, ["--bits", str(most), "--layer", f"{name}={w}"])
                     for name in layers for w in widths]  # fmt: skip
        said = spread([model, *rest], tasks, args.threads, args.ray_address)
    except (Error, OSError) as error:
        print(f"pbatch: {error}", file=sys.stderr)
        return 1
    if args.each_layer:
        for row, (_, options) in zip(
            [r for r in said["results"] if r["weight_bits"] != 32], tasks, strict=True
        ):
            row["weight_bits"] = int(options[-1].rpartition("=")[2])
    if args.json == "-":
        print(json.dumps(said))
        return 0
    if args.json:
        with open(args.json, "w", encoding="utf-8") as file:
            json.dump(said, file)
    shown = [c for c in COLUMNS if args.each_layer or c != "layer"]
    table = [shown] + [[_text(row.get(c)) for c in shown] for row in said["results"]]
    sizes = [max(len(line[i]) for line in table) for i in range(len(shown))]
    for line in table:
        print("  ".join(text.ljust(size) for text, size in zip(line, sizes, strict=True)).rstrip())
    return 0


def _text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else "" if value is None else str(value)
