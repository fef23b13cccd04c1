"""ONNX networks from modules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from onnx import ModelProto, helper, numpy_helper
from torch import nn

OPSET = 17


def array(tensor: torch.Tensor) -> Any:
    """As float32 of numpy."""
    return np.ascontiguousarray(tensor.detach().numpy())


def constant(name: str, tensor: torch.Tensor) -> Any:
    """An initializer."""
    return numpy_helper.from_array(array(tensor), name)


def node_name(name: str, module: nn.Module) -> str:
    """The module's name in the model, or its class if it is the model."""
    return name or type(module).__name__


def model_of(
    nodes: Sequence[Any], inputs: Sequence[Any], outputs: Sequence[Any], constants: Sequence[Any]
) -> ModelProto:
    graph = helper.make_graph(nodes, "module", inputs, outputs, constants)
    opset = helper.make_opsetid("", OPSET)
    return helper.make_model(graph, opset_imports=[opset], ir_version=8)
