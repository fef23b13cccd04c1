"""Networks of one matrix, which Linear and Embedding modules with tied weights share.

Each module is one input x0, x1, ... and one output y0, y1, ... of the network; a run of one feeds no
rows to the others.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import ModelProto, TensorProto, helper
from torch import nn

from ._network import Network
from ._onnx import constant, model_of, node_name


def shared_network(members: Sequence[tuple[str, nn.Linear | nn.Embedding]]) -> ModelProto:
    """The float network of modules that have one weight, each with its name."""
    weight = members[0][1].weight
    constants = [constant("weight", weight)]
    nodes, inputs, outputs = [], [], []
    for i, (name, module) in enumerate(members):
        x, y = f"x{i}", f"y{i}"
        name = node_name(name, module)
        if isinstance(module, nn.Embedding):
            nodes.append(helper.make_node("Gather", ["weight", x], [y], name=name))
            inputs.append(helper.make_tensor_value_info(x, TensorProto.INT64, [f"n{i}"]))
        else:
            operands = [x, "weight"]
            if module.bias is not None:
                constants.append(constant(f"bias{i}", module.bias))
                operands.append(f"bias{i}")
            nodes.append(helper.make_node("Gemm", operands, [y], name=name, transB=1))
            shape: list[Any] = [f"n{i}", weight.shape[1]]
            inputs.append(helper.make_tensor_value_info(x, TensorProto.FLOAT, shape))
        width = weight.shape[1] if isinstance(module, nn.Embedding) else weight.shape[0]
        outputs.append(helper.make_tensor_value_info(y, TensorProto.FLOAT, [f"n{i}", width]))
    return model_of(nodes, inputs, outputs, constants)


@functools.lru_cache(maxsize=1024)
def _no_rows(width: int | None) -> Any:
    return np.empty(0, np.int64) if width is None else np.empty((0, width), np.float32)


def empty_feeds(network: Network) -> dict[str, Any]:
    """No rows for every input, where there are several."""
    ports = network.session.get_inputs()
    if len(ports) == 1:
        return {}
    return {p.name: _no_rows(p.shape[1] if len(p.shape) == 2 else None) for p in ports}
