"""Runs under way end before the interpreter does, and before the process forks."""

import atexit
import os

from . import _core

atexit.register(_core._await_runs, True)
os.register_at_fork(before=lambda: _core._await_runs(False))
