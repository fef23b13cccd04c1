"""``pbatch sweep --ray``: the widths of a sweep, with the layers at each, as tasks on a cluster of Ray."""

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
from ._table import text_table
from .errors import Error, InvalidArgumentError, UnsupportedError

COLUMNS = ("weight_bits", "activation_bits", "metric", "value", "latency_us", "host", "node")


def _widths(text: str) -> list[int]:
    """Of "1:8" or "1,2,4"."""
    try:
        widths: list[int] = []
        for part in text.split(","):
            first, _, last = part.partition(":")
            some = range(int(first), int(last or first) + 1)
            if not some:
                raise ValueError
            widths.extend(some)
        return widths
    except ValueError:
        raise InvalidArgumentError(f"'{text}' are no bits", remedy="give e.g. 1:8 or 1,2,4") from None


def _part(arguments: list[str]) -> dict[str, Any]:
    """What ``pbatch sweep`` says of one width; where it was run: a machine may have several nodes."""
    import ray

    node = ray.get_runtime_context().get_node_id()[:8]
    with tempfile.TemporaryDirectory(prefix="pbatch-") as folder:
        said = _program.run(["sweep", *arguments, "-o", os.path.join(folder, "page.html")])
    for row in said["results"]:
        row.update(host=socket.gethostname(), node=node)
        if "metric" not in row:  # without labels
            row.update(metric="rel_error", value=row.get("rel_error"))
    return said


def spread(
    arguments: Sequence[str], widths: Sequence[int], threads: int, address: str | None = None
) -> dict[str, Any]:
    """A sweep whose widths are tasks on a cluster, merged in their order; the row of the float network,
    which every task has, stands there once. Paths must lead to the files on every node. Raises
    UnsupportedError without Ray, and what a task raises."""
    try:
        import ray
    except ImportError as error:
        raise UnsupportedError(
            f"a cluster stands on Ray: {error}", remedy="pip install 'precisionbatching[data]'"
        ) from None
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if not ray.is_initialized():
        # Without "local" Ray would join whatever cluster was last started on the machine.
        address = address or os.environ.get("RAY_ADDRESS") or "local"
        ray.init(address=address, include_dashboard=False, log_to_driver=False)
    run = ray.remote(num_cpus=threads, max_retries=3)(_part)
    fixed = [*arguments, "--threads", str(threads)]
    try:
        parts = ray.get([run.remote([*fixed, "--bits", str(width)]) for width in widths])
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, Error):
            raise error.cause from None
        raise
    merged: dict[str, Any] = dict(parts[0])
    for name in ("page", "planned"):  # which take all widths at once
        merged.pop(name, None)
    for part in parts[1:]:
        merged["results"] += [row for row in part["results"] if row["weight_bits"] != 32]
        merged["layer_widths"] += part["layer_widths"]
        for layer, more in zip(merged["layers"], part["layers"], strict=True):
            layer["rel_error"] += more["rel_error"]
    return merged


def main(given: Sequence[str]) -> int:
    """The command line. Options that are not named here go to ``pbatch sweep`` on the nodes."""
    parser = argparse.ArgumentParser(prog="pbatch sweep --ray", allow_abbrev=False, description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--ray", action="store_true")
    parser.add_argument("--ray-address", help="a cluster that runs; default: one of its own")
    parser.add_argument("--bits", metavar="LIST", help="default: all that there are")
    parser.add_argument("--threads", type=int, default=1, help="of a task; default 1")
    parser.add_argument("--json", metavar="FILE", help="the results; '-' for standard output")
    args, rest = parser.parse_known_args(given)
    model = os.path.abspath(args.model)
    try:
        if "-o" in rest or "--output" in rest:
            raise InvalidArgumentError("a sweep on a cluster makes no page", remedy="give --json FILE")
        with InferenceSession(model, threads=1) as session:
            most = session.max_weight_bits or 8
        widths = _widths(args.bits) if args.bits else list(range(1, most + 1))
        said = spread([model, *rest], widths, args.threads, args.ray_address)
        if args.json and args.json != "-":
            with open(args.json, "w", encoding="utf-8") as file:
                json.dump(said, file)
    except (Error, OSError) as error:
        print(f"pbatch: {error}", file=sys.stderr)
        return 1
    if args.json == "-":
        print(json.dumps(said))
        return 0
    rows = [
        [f"{v:.6g}" if isinstance(v, float) else str(v) for v in map(row.get, COLUMNS)]
        for row in said["results"]
    ]
    print(text_table(COLUMNS, rows))
    return 0
