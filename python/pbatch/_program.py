"""The command line, which comes with the package."""

import json
import os
import pathlib
import subprocess
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from .errors import InternalError, InvalidArgumentError, from_status

PROGRAM = pathlib.Path(__file__).parent / "bin" / "pbatch"


def main() -> NoReturn:
    """Becomes the program; ``serve`` and ``sweep --ray`` are Python's own."""
    if sys.argv[1:2] == ["serve"]:
        from .serve._main import main as serve

        sys.exit(serve(sys.argv[2:]))
    if sys.argv[1:2] == ["sweep"] and "--ray" in sys.argv:
        from ._sweep_ray import main as spread

        sys.exit(spread(sys.argv[2:]))
    os.execv(PROGRAM, ["pbatch", *sys.argv[1:]])


def run(arguments: Sequence[str]) -> dict[str, Any]:
    """Runs a command with ``--json -``; what it says. Raises the error of a command that fails."""
    process = subprocess.run(
        [PROGRAM, *arguments, "--json", "-"], capture_output=True, text=True, check=False
    )
    complaint = process.stderr.strip().splitlines()[-1:] or ["it said nothing"]
    line = complaint[0].removeprefix("pbatch: ")
    if process.returncode == 2:
        raise InvalidArgumentError(line, line=line)
    try:
        said = json.loads(process.stdout)
    except ValueError:
        raise InternalError(
            f"the program ended with {process.returncode}: {line}", remedy="please report it"
        ) from None
    if process.returncode != 0:
        raise from_status(**said["error"], line=line)
    return dict(said)
