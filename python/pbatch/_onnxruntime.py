"""Names of onnxruntime that programs use when they open a session."""

import enum
import re
from collections.abc import Sequence
from typing import Any

from .errors import InvalidArgumentError

CPU = "CPUExecutionProvider"
CUDA = "CUDAExecutionProvider"


class GraphOptimizationLevel(enum.IntEnum):
    """Has no effect: networks are always optimized."""

    ORT_DISABLE_ALL = 0
    ORT_ENABLE_BASIC = 1
    ORT_ENABLE_EXTENDED = 2
    ORT_ENABLE_LAYOUT = 3
    ORT_ENABLE_ALL = 99


class ExecutionMode(enum.IntEnum):
    """Has no effect: nodes run one after another, each on all threads."""

    ORT_SEQUENTIAL = 0
    ORT_PARALLEL = 1


def get_available_providers() -> list[str]:
    """What InferenceSession takes as ``providers``.

    >>> pbatch.get_available_providers()
    ['CPUExecutionProvider']
    """
    return [CPU]


def get_device() -> str:
    """"CPU", where sessions run if nothing else is asked for."""
    return "CPU"


def device_of(
    providers: Sequence[str | tuple[str, dict[str, Any]]],
    options: Sequence[dict[str, Any]] | None,
) -> str:
    """The device that a list of providers, in order of preference, means."""
    wanted = []
    for i, provider in enumerate(providers):
        name, settings = provider if isinstance(provider, tuple) else (provider, {})
        if options is not None and i < len(options):
            settings = {**options[i], **settings}
        if name not in (CPU, CUDA):
            raise InvalidArgumentError(
                f"there is no provider {name!r}", remedy=f"use {CPU} or {CUDA}, or device="
            )
        wanted.append((name, str(settings.get("device_id", 0))))
    if not wanted or wanted[0][0] == CPU:
        return "cpu"
    index = wanted[0][1]
    if not re.fullmatch(r"[0-9]{1,4}", index):
        raise InvalidArgumentError(f"there is no GPU {index!r}", remedy="number them from 0")
    return f"auto:{index}" if any(name == CPU for name, _ in wanted) else f"cuda:{index}"
