"""Linear over bit-layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from ..errors import ShapeMismatchError
from ._module import BitModule
from ._network import Network
from ._op import run
from ._shared import empty_feeds


class Linear(BitModule):
    """nn.Linear: (..., in_features) to (..., out_features)."""

    def __init__(self, module: nn.Linear, network: Network, member: int) -> None:
        super().__init__(network, [f"y{member}"])
        self.in_features = module.in_features
        self.out_features = module.out_features
        self._input = f"x{member}"

    def feeds(self, inputs: Sequence[torch.Tensor]) -> dict[str, Any]:
        return empty_feeds(self.network) | {self._input: inputs[0]}

    def result_shapes(self, inputs: Sequence[torch.Tensor]) -> list[tuple[Any, ...]]:
        return [(inputs[0].shape[0], self.out_features)]

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        self._check_floats(input)
        if input.dim() == 0 or input.shape[-1] != self.in_features:
            raise ShapeMismatchError(
                f"the input has shape {list(input.shape)} but Linear takes "
                f"[..., {self.in_features}]"
            )
        rows = input.reshape(-1, self.in_features)
        return run([rows], self._number)[0].reshape(*input.shape[:-1], self.out_features)

    def extra_repr(self) -> str:
        sizes = f"in_features={self.in_features}, out_features={self.out_features}"
        return f"{sizes}, {super().extra_repr()}"
