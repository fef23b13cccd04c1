"""Embedding over bit-layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from ..errors import InvalidArgumentError
from ._module import BitModule
from ._network import Network
from ._op import run
from ._shared import empty_feeds


class Embedding(BitModule):
    """nn.Embedding: (...) of int32 or int64 to (..., embedding_dim)."""

    def __init__(self, module: nn.Embedding, network: Network, member: int) -> None:
        super().__init__(network, [f"y{member}"])
        self.num_embeddings = module.num_embeddings
        self.embedding_dim = module.embedding_dim
        self._input = f"x{member}"

    def feeds(self, inputs: Sequence[torch.Tensor]) -> dict[str, Any]:
        rows = inputs[0]
        if rows.numel() and not 0 <= int(rows.min()) <= int(rows.max()) < self.num_embeddings:
            raise InvalidArgumentError(
                f"the input holds indices from {int(rows.min())} to {int(rows.max())}",
                remedy=f"this Embedding has rows 0 to {self.num_embeddings - 1}",
            )
        return empty_feeds(self.network) | {self._input: rows}

    def result_shapes(self, inputs: Sequence[torch.Tensor]) -> list[tuple[Any, ...]]:
        return [(inputs[0].shape[0], self.embedding_dim)]

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        self._check(input)
        if input.dtype not in (torch.int32, torch.int64):
            raise InvalidArgumentError(
                f"the input is {input.dtype} but Embedding takes torch.int64 or torch.int32"
            )
        rows = input.reshape(-1).to(torch.int64)
        return run([rows], self._number)[0].reshape(*input.shape, self.embedding_dim)

    def extra_repr(self) -> str:
        return f"{self.num_embeddings}, {self.embedding_dim}, {super().extra_repr()}"
