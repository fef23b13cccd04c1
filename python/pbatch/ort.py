"""Bit-layers inside onnxruntime, by the plug-in that the package onnxruntime-ep-pbatch brings.

>>> options = pbatch.ort.register(bits=4, abits=8)                   # doctest: +SKIP
>>> session = onnxruntime.InferenceSession("net.onnx", options)      # doctest: +SKIP
"""

import importlib
import os
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from .errors import InvalidArgumentError, NotFoundError, UnsupportedError

_lock = threading.Lock()
_registered = False


def _import(module: str, package: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise NotFoundError(
            f"the package {package} is not installed", remedy=f"install {package}"
        ) from error


def _register_library(onnxruntime: Any, plugin: Any) -> Any:
    """The devices of the provider. The library is registered once in a process."""
    global _registered
    if not hasattr(onnxruntime, "register_execution_provider_library"):
        raise UnsupportedError(
            f"onnxruntime {onnxruntime.__version__} takes no plug-ins",
            remedy="use version 1.23 or later",
        )
    name = plugin.get_ep_name()
    with _lock:
        devices = [d for d in onnxruntime.get_ep_devices() if d.ep_name == name]
        if not devices and not _registered:
            onnxruntime.register_execution_provider_library(name, plugin.get_library_path())
            _registered = True
            devices = [d for d in onnxruntime.get_ep_devices() if d.ep_name == name]
    if not devices:
        raise UnsupportedError(
            "onnxruntime lists no device for the provider",
            remedy="check that nothing unregisters its library",
        )
    return devices


def _layers_text(layers: Mapping[str, int | tuple[int, int]]) -> str:
    parts = []
    for name, bits in layers.items():
        if ";" in name:
            raise InvalidArgumentError(
                f"layer {name!r} has a ';' in its name", remedy="rename the node"
            )
        values = bits if isinstance(bits, tuple) else (bits,)
        parts.append(f"{name}={','.join(str(value) for value in values)}")
    return ";".join(parts)


def register(
    session_options: Any = None,
    *,
    bits: int | None = None,
    abits: int | None = None,
    layers: Mapping[str, int | tuple[int, int]] | None = None,
    exact: bool | None = None,
    planes: int | None = None,
    group: int | str | None = None,
    min_elements: int | None = None,
    exclude: Sequence[str] = (),
    floor: int | None = None,
    outliers: float | None = None,
    row_sums: float | None = None,
    threads: int | None = None,
    connect: bool | None = None,
    cache: str | os.PathLike[str] | None = None,
) -> Any:
    """Makes sessions of these options run their layers on bit-layers; returns the options.

    The network is a float one, which is quantized when the session is opened, or a file that
    ``pbatch.quantize`` wrote. One object of options is registered once. Thread-safe.

    Args:
        session_options: an ``onnxruntime.SessionOptions``; None: a new one.
        bits, abits, layers, exact: the precision of runs that ask for no other one, as in
            ``InferenceSession.run``; default 4 and 16. ``exact``, True by default, keeps
            convolutions of a quantized file on bit-layers where float would be faster. A run's
            own: ``RunOptions.add_run_config_entry("pbatch.bits", "3")``.
        planes, group, min_elements, exclude, floor, outliers, row_sums: as in ``pbatch.quantize``, for
            a float network.
        threads: at work on one node, the calling one included; default: the options'
            ``intra_op_num_threads``. 0: one per CPU.
        connect: whether operators between layers run here too, where the library has them, so that
            more of the network is one piece; default True.
        cache: a folder that keeps what was quantized for the next time.

    Raises:
        NotFoundError: onnxruntime or onnxruntime-ep-pbatch is not installed.
        UnsupportedError: this onnxruntime is older than 1.23, or the options' execution_mode is
            ORT_PARALLEL.
        InvalidArgumentError: a layer's name cannot be written as an option. Other bad values are
            refused by onnxruntime when the session is opened.
    """
    onnxruntime = _import("onnxruntime", "onnxruntime")
    plugin = _import("onnxruntime_ep_pbatch", "onnxruntime-ep-pbatch")
    devices = _register_library(onnxruntime, plugin)
    options = onnxruntime.SessionOptions() if session_options is None else session_options
    if options.execution_mode == onnxruntime.ExecutionMode.ORT_PARALLEL:
        raise UnsupportedError(
            "with execution_mode ORT_PARALLEL nodes do not know the precision of their run",
            remedy="set it to ORT_SEQUENTIAL",
        )
    given = {
        "bits": bits,
        "abits": abits,
        "layers": None if layers is None else _layers_text(layers),
        "exact": None if exact is None else int(exact),
        "planes": planes,
        "group": group,
        "min_elements": min_elements,
        "exclude": ";".join(exclude) or None,
        "floor": floor,
        "outliers": outliers,
        "row_sums": row_sums,
        "threads": options.intra_op_num_threads if threads is None else threads,
        "connect": None if connect is None else int(connect),
        "cache": None if cache is None else os.fspath(cache),
    }
    # For the checker, which wants to know the operators of a quantized file.
    options.register_custom_ops_library(plugin.get_library_path())
    options.add_provider_for_devices(
        devices, {key: str(value) for key, value in given.items() if value is not None}
    )
    return options
