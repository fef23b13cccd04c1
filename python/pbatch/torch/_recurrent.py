"""RNN, LSTM and GRU over bit-layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from ..errors import ShapeMismatchError
from ._module import BitModule
from ._network import Network
from ._op import run


class _Recurrent(BitModule):
    _states: tuple[str, ...] = ("h",)

    def __init__(self, module: nn.RNNBase, network: Network) -> None:
        super().__init__(network, ["y", *(f"{s}_n" for s in self._states)])
        self.input_size = module.input_size
        self.hidden_size = module.hidden_size
        self.num_layers = module.num_layers
        self.batch_first = module.batch_first
        self.bidirectional = module.bidirectional

    @property
    def _directions(self) -> int:
        return 1 + self.bidirectional

    def feeds(self, inputs: Sequence[torch.Tensor]) -> dict[str, Any]:
        return dict(zip(("x", "lengths", *self._states), inputs, strict=True))

    def result_shapes(self, inputs: Sequence[torch.Tensor]) -> list[tuple[Any, ...]]:
        steps, batch, _ = inputs[0].shape
        state = (self.num_layers * self._directions, batch, self.hidden_size)
        return [
            (steps, batch, self._directions * self.hidden_size),
            *(state for _ in self._states),
        ]

    def _run(
        self, x: torch.Tensor, lengths: torch.Tensor, states: list[torch.Tensor] | None
    ) -> list[torch.Tensor]:
        """x is (steps, batch, input_size); states are (layers x directions, batch, hidden_size)."""
        shape = (self.num_layers * self._directions, x.shape[1], self.hidden_size)
        if states is None:
            states = [torch.zeros(shape) for _ in self._states]
        for state in states:
            self._check_floats(state, "initial state")
            if state.shape != shape:
                raise ShapeMismatchError(
                    f"an initial state has shape {list(state.shape)} but this "
                    f"{self._get_name()} takes {list(shape)}"
                )
        return run([x, lengths, *states], self._number)

    def _run_packed(
        self, packed: PackedSequence, states: list[torch.Tensor] | None
    ) -> tuple[PackedSequence, list[torch.Tensor]]:
        """In the order of the lengths, as the packed sequence holds it."""
        self._check_floats(packed.data)
        self._check_size(packed.data, 2)
        batch_sizes, order, back = packed.batch_sizes, packed.sorted_indices, packed.unsorted_indices
        x, lengths = pad_packed_sequence(PackedSequence(packed.data, batch_sizes))
        if states is not None and order is not None:
            states = [state.index_select(1, order) for state in states]
        y, *ends = self._run(x, lengths.to(torch.int32), states)
        data = pack_padded_sequence(y, lengths).data
        if back is not None:
            ends = [end.index_select(1, back) for end in ends]
        return PackedSequence(data, batch_sizes, order, back), ends

    def _run_padded(
        self, x: torch.Tensor, states: list[torch.Tensor] | None
    ) -> tuple[torch.Tensor, list[torch.Tensor]]:
        self._check_floats(x)
        self._check_size(x, 2, 3)
        alone = x.dim() == 2
        if alone:
            x = x.unsqueeze(1)
            states = None if states is None else [state.unsqueeze(1) for state in states]
        elif self.batch_first:
            x = x.transpose(0, 1)
        lengths = torch.full((x.shape[1],), x.shape[0], dtype=torch.int32)
        y, *ends = self._run(x, lengths, states)
        if alone:
            return y.squeeze(1), [end.squeeze(1) for end in ends]
        return (y.transpose(0, 1) if self.batch_first else y), ends

    def _check_size(self, x: torch.Tensor, *dims: int) -> None:
        if x.dim() not in dims or x.shape[-1] != self.input_size or 0 in x.shape[: x.dim() - 2]:
            steps = "batch, steps" if self.batch_first else "steps, batch"
            raise ShapeMismatchError(
                f"the input has shape {list(x.shape)} but this {self._get_name()} takes "
                f"[{steps}, {self.input_size}] or [steps, {self.input_size}]"
            )

    def _forward(self, x: Any, states: list[torch.Tensor] | None) -> tuple[Any, list[torch.Tensor]]:
        if isinstance(x, PackedSequence):
            return self._run_packed(x, states)
        return self._run_padded(x, states)

    def extra_repr(self) -> str:
        text = f"{self.input_size}, {self.hidden_size}, num_layers={self.num_layers}"
        text += f", batch_first={self.batch_first}, bidirectional={self.bidirectional}"
        return f"{text}, {super().extra_repr()}"


class _OneState(_Recurrent):
    def forward(self, input: Any, hx: torch.Tensor | None = None) -> tuple[Any, torch.Tensor]:
        y, ends = self._forward(input, None if hx is None else [hx])
        return y, ends[0]


class RNN(_OneState):
    """nn.RNN, of tanh or relu: forward(input, hx=None) gives (output, h_n)."""


class GRU(_OneState):
    """nn.GRU: forward(input, hx=None) gives (output, h_n)."""


class LSTM(_Recurrent):
    """nn.LSTM: forward(input, (h_0, c_0)=None) gives (output, (h_n, c_n))."""

    _states = ("h", "c")

    def forward(
        self, input: Any, hx: tuple[torch.Tensor, torch.Tensor] | None = None
    ) -> tuple[Any, tuple[torch.Tensor, torch.Tensor]]:
        y, ends = self._forward(input, None if hx is None else list(hx))
        return y, (ends[0], ends[1])
