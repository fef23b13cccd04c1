"""quantize_: modules become modules over bit-layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from onnx import ModelProto
from torch import nn

from .._core import Model
from .._quantize import quantize
from ..errors import Error, NotFiniteError, UnsupportedError
from ._embedding import Embedding
from ._linear import Linear
from ._module import BitModule
from ._network import Network
from ._recurrent import GRU, LSTM, RNN
from ._recurrent_network import recurrent_network
from ._shared import shared_network

_RECURRENT: dict[type[nn.Module], type[LSTM] | type[GRU] | type[RNN]] = {nn.LSTM: LSTM, nn.GRU: GRU, nn.RNN: RNN}

Filter = Callable[[nn.Module, str], bool]
Found = list[tuple[str, Any]]


def quantize_(
    module: nn.Module,
    planes: int = 8,
    filter_fn: Filter | None = None,
    *,
    group: int | str = "auto",
    min_elements: int = 4096,
    floor: int = 8,
    outliers: float = 0.0,
    row_sums: float = 0.03,
) -> nn.Module:
    """Turns the nn.Linear, nn.Embedding, nn.LSTM, nn.GRU and nn.RNN in a module into modules over
    bit-layers, in place. Needs no data and retrains nothing.

    Args:
        module: may itself be one of these. On the CPU, in float32.
        planes: bit-layers stored per matrix, 1 to 16; the greatest width that it can run at.
        filter_fn: called with each of these modules and its name in ``module``; False leaves it as
            it is. None: all become bit-layers.
        group, min_elements, floor, outliers, row_sums: as of pbatch.quantize; modules with smaller matrices
            only stay as they are.

    Returns:
        ``module``. Modules with the same weight share its bit-layers.

    Raises:
        UnsupportedError: names a module that cannot be in bit-layers; nothing has changed then.
        Error: as from pbatch.quantize; nothing has changed.

    Modules of classes derived from these stay as they are. Outputs are those of the float modules
    up to the precision; where a forward hook was, it stays.
    """
    found = _find(module, filter_fn)
    for name, child in found:
        _check(name, child)

    def packed(network: ModelProto) -> Network | None:
        report, model = quantize(
            network,
            planes=planes,
            group=group,
            min_elements=min_elements,
            scheme="plain",
            floor=floor,
            outliers=outliers,
            row_sums=row_sums,
        )
        assert isinstance(model, Model)
        if any(layer.quantized for layer in report.layers):
            return Network.of(model)
        for layer in report.layers:
            if layer.rows * layer.cols >= min_elements:
                raise UnsupportedError(layer.reason, node=layer.name)
        return None

    made: list[tuple[nn.Module, BitModule]] = []
    for name, child in found:
        if type(child) in _RECURRENT:
            network = packed(recurrent_network(child, type(child).__name__, name))
            if network is not None:
                made.append((child, _RECURRENT[type(child)](child, network)))
    for members in _tied(found).values():
        network = packed(shared_network(members))
        for i, (_, child) in enumerate(members):
            if network is not None:
                kind: Any = Embedding if isinstance(child, nn.Embedding) else Linear
                made.append((child, kind(child, network, i)))
    for child, bits in made:
        _become(child, bits)
    return module


def _find(module: nn.Module, filter_fn: Filter | None) -> Found:
    kinds = (nn.Linear, nn.Embedding, *_RECURRENT)
    found = [(name, child) for name, child in module.named_modules() if type(child) in kinds]
    return [pair for pair in found if filter_fn is None or filter_fn(pair[1], pair[0])]


def _tied(found: Found) -> dict[int, list[tuple[str, Any]]]:
    groups: dict[int, list[tuple[str, Any]]] = {}
    for name, child in found:
        if type(child) not in _RECURRENT:
            groups.setdefault(id(child.weight), []).append((name, child))
    return groups


def _check(name: str, module: nn.Module) -> None:
    reason = ""
    if getattr(module, "proj_size", 0):
        reason = "it has a projection (proj_size)"
    elif getattr(module, "max_norm", None) is not None:
        reason = "it changes its weights when it runs (max_norm)"
    for key, parameter in module.named_parameters():
        if reason:
            break
        if parameter.device.type != "cpu" or parameter.dtype != torch.float32:
            reason = f"its {key} is {parameter.dtype} on {parameter.device}, not float32 on the CPU"
        elif not parameter.isfinite().all():
            raise _refusal(NotFiniteError, name, module, f"its {key} holds a NaN or an infinity")
    if reason:
        raise _refusal(UnsupportedError, name, module, reason)


def _refusal(kind: type[Error], name: str, module: nn.Module, reason: str) -> Error:
    message = f"{type(module).__name__} cannot be in bit-layers: {reason}"
    remedy = "convert it, or leave it out with filter_fn"
    line = f"{name or 'the module'}: {message}; {remedy}"
    return kind(message, remedy=remedy, node=name, line=line)


def _become(module: nn.Module, other: BitModule) -> None:
    """Makes a module the other one, where it stands: all that refer to it see that."""
    kept = {key: value for key, value in module.__dict__.items() if key.endswith("_hooks")}
    training = module.training
    object.__setattr__(module, "__class__", type(other))
    state = other.__getstate__()
    module.__dict__.clear()
    module.__setstate__({**state, **kept, "training": training})
