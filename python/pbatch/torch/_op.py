"""The operator pbatch::run, which torch.compile takes as it is."""

# Annotations here are read by torch when the operator is defined: no strings.
import itertools
import weakref
from collections.abc import Sequence
from typing import Any

import torch

from .._precision import block as precision_block
from ..errors import InvalidArgumentError

_modules: weakref.WeakValueDictionary[int, Any] = weakref.WeakValueDictionary()
_numbers = itertools.count(1)


def register(module: Any) -> int:
    """The number by which the operator finds the module as long as it lives."""
    number = next(_numbers)
    _modules[number] = module
    return number


def _module(number: int) -> Any:
    module = _modules.get(number)
    if module is None:
        raise InvalidArgumentError(
            "the compiled code is of a module that is gone",
            remedy="keep the module, or compile again in this process",
        )
    return module


@torch.library.custom_op("pbatch::run", mutates_args=(), device_types="cpu")
def run(inputs: Sequence[torch.Tensor], module: int) -> list[torch.Tensor]:
    """A run of a module's network. Its precision is looked up at every run, not when compiled."""
    found = _module(module)
    feeds = found.feeds(inputs)
    session = found.network.session
    block = precision_block.get()
    if block is None or not block[2]:
        arrays = session.run(found.outputs, feeds, bits=found.bits, abits=found.abits)
    else:  # layers of other modules are not for this one's session
        names = {layer.name for layer in session.layers}
        mine = {name: value for name, value in block[2].items() if name in names}
        token = precision_block.set((block[0], block[1], mine))
        try:
            arrays = session.run(found.outputs, feeds, bits=found.bits, abits=found.abits)
        finally:
            precision_block.reset(token)
    return [torch.from_numpy(array) for array in arrays]


@run.register_fake
def _(inputs: Sequence[torch.Tensor], module: int) -> list[torch.Tensor]:
    shapes = _module(module).result_shapes(inputs)
    return [torch.empty(shape, dtype=torch.float32, device="cpu") for shape in shapes]
