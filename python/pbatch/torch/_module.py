"""BitModule: what all modules over bit-layers have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np
import torch
from torch import nn

from .._core import Model
from .._precision import check_bits
from ..errors import InvalidArgumentError, UnsupportedError
from ._network import Network
from ._op import register


class BitModule(nn.Module):
    """A module whose matrices are bit-layers. For inference on the CPU, in float32.

    Attributes:
        bits: of the weights, 1 to 16, or 32 for float; None: those of the ``with
            pbatch.precision(...)`` around the call, else 4. May be set between any two calls.
        abits: of the activations, 8, 16 or 32; None: in the same way, else 16.
        session: the pbatch.InferenceSession that runs it.

    state_dict() holds the bit-layers; load_state_dict() takes them into a module of the same shape.
    Copies share them. It can be pickled. Any number of threads may call it.
    """

    network: Network
    #: Names of the outputs that the module gives; networks of tied weights have others besides.
    outputs: list[str]

    def __init__(self, network: Network, outputs: list[str]) -> None:
        super().__init__()
        self.network = network
        self.outputs = outputs
        self._bits: int | None = None
        self._abits: int | None = None
        self._number = register(self)

    @property
    def bits(self) -> int | None:
        return self._bits

    @bits.setter
    def bits(self, value: int | None) -> None:
        check_bits(value, None)
        self._bits = value

    @property
    def abits(self) -> int | None:
        return self._abits

    @abits.setter
    def abits(self, value: int | None) -> None:
        check_bits(None, value)
        self._abits = value

    @property
    def session(self) -> Any:
        return self.network.session

    def feeds(self, inputs: Sequence[torch.Tensor]) -> dict[str, Any]:
        """The inputs of the network."""
        raise NotImplementedError

    def result_shapes(self, inputs: Sequence[torch.Tensor]) -> list[tuple[Any, ...]]:
        """The shapes of what a run on these inputs gives."""
        raise NotImplementedError

    def _check(self, x: torch.Tensor, what: str = "input") -> None:
        if self.training:
            raise UnsupportedError(
                f"{self._get_name()} is for inference but is in training mode",
                remedy="call .eval() on the model",
            )
        if x.device.type != "cpu":
            raise InvalidArgumentError(
                f"the {what} is on {x.device} but {self._get_name()} is on the CPU",
                remedy="call .cpu() on it",
            )
        if torch.is_grad_enabled() and x.requires_grad:
            raise UnsupportedError(
                f"{self._get_name()} has no gradients but its {what} asks for them",
                remedy="run the model in torch.inference_mode() or torch.no_grad()",
            )

    def _check_floats(self, x: torch.Tensor, what: str = "input") -> None:
        self._check(x, what)
        if x.dtype != torch.float32:
            raise InvalidArgumentError(
                f"the {what} is {x.dtype} but {self._get_name()} takes torch.float32",
                remedy="call .float() on it",
            )

    def _apply(self, fn: Callable[[torch.Tensor], torch.Tensor], recurse: bool = True) -> Self:
        probe = fn(torch.empty(0))
        if probe.device.type != "cpu" or probe.dtype != torch.float32:
            raise UnsupportedError(
                f"{self._get_name()} stays on the CPU with float32 as its inputs and results, "
                f"and cannot go to {probe.device} as {probe.dtype}",
                remedy="move the model before quantize_, or leave the module out with filter_fn",
            )
        return self

    def get_extra_state(self) -> dict[str, torch.Tensor]:
        model = self.network.model
        return {"onnx": _bytes_tensor(model.onnx), "safetensors": _bytes_tensor(model.safetensors)}

    def set_extra_state(self, state: dict[str, torch.Tensor]) -> None:
        try:
            parts = [state[key].numpy().tobytes() for key in ("onnx", "safetensors")]
        except (TypeError, KeyError, AttributeError) as error:
            raise InvalidArgumentError(
                f"the state of {self._get_name()} holds no bit-layers",
                remedy="load what state_dict() of a quantized model gave",
            ) from error
        network = Network.of(Model(*parts))
        if _ports(network) != _ports(self.network):
            raise InvalidArgumentError(
                f"the state is of another network than this {self._get_name()}",
                remedy="make the module with the sizes and ties that the saved one had",
            )
        self.network = network

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_number"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._number = register(self)

    def extra_repr(self) -> str:
        return f"bits={self.bits}, abits={self.abits}"


def _bytes_tensor(data: bytes) -> torch.Tensor:
    return torch.from_numpy(np.frombuffer(data, np.uint8).copy())


def _ports(network: Network) -> list[tuple[Any, ...]]:
    session = network.session
    ports = [*session.get_inputs(), *session.get_outputs()]
    return [(port.name, port.type, tuple(port.shape)) for port in ports]
