"""The ONNX network of an RNN, LSTM or GRU of any layers and directions."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper
from torch import nn

from ._onnx import array, model_of, node_name

#: Where the gates of ONNX are among those of torch.
_GATES = {
    "RNN": [0],
    "LSTM": [0, 3, 1, 2],  # input, output, forget, cell of input, forget, cell, output
    "GRU": [1, 0, 2],  # update, reset, new of reset, update, new
}


def _reordered(module: nn.RNNBase, name: str, kind: str) -> Any:
    gates = np.split(array(getattr(module, name)), len(_GATES[kind]))
    return np.concatenate([gates[i] for i in _GATES[kind]])


def _weights(module: nn.RNNBase, kind: str, layer: int) -> dict[str, Any]:
    """W, R and B of one layer, as the operator wants them."""
    ends = [f"_l{layer}", f"_l{layer}_reverse"][: 1 + module.bidirectional]

    def stacked(name: str) -> Any:
        return np.stack([_reordered(module, name + end, kind) for end in ends])

    weights = {"W": stacked("weight_ih"), "R": stacked("weight_hh")}
    if module.bias:
        weights["B"] = np.concatenate([stacked("bias_ih"), stacked("bias_hh")], axis=1)
    return weights


def recurrent_network(module: nn.RNNBase, kind: str, name: str) -> ModelProto:
    """Inputs x (steps, batch, input_size), lengths (batch), h and, of an LSTM, c (layers x
    directions, batch, hidden_size); outputs y (steps, batch, directions x hidden_size), h_n, c_n.
    """
    directions = 1 + module.bidirectional
    hidden, layers = module.hidden_size, module.num_layers
    states = ["h", "c"] if kind == "LSTM" else ["h"]
    attributes: dict[str, Any] = {
        "hidden_size": hidden,
        "direction": "bidirectional" if module.bidirectional else "forward",
    }
    if kind == "GRU":
        attributes["linear_before_reset"] = 1
    if kind == "RNN":
        function = "Relu" if module.nonlinearity == "relu" else "Tanh"
        attributes["activations"] = [function] * directions
    constants = [numpy_helper.from_array(np.array([0, 0, directions * hidden]), "merged")]
    nodes = []
    sizes = numpy_helper.from_array(np.full(layers, directions), "sizes")
    if layers > 1:
        constants.append(sizes)
        for s in states:
            parts = [f"{s}{i}" for i in range(layers)]
            nodes.append(helper.make_node("Split", [s, "sizes"], parts, axis=0))
    x = "x"
    for i in range(layers):
        weights = _weights(module, kind, i)
        constants += [numpy_helper.from_array(v, f"{k}{i}") for k, v in weights.items()]
        inputs = [x, f"W{i}", f"R{i}", f"B{i}" if "B" in weights else "", "lengths"]
        inputs += [f"{s}{i}" if layers > 1 else s for s in states]
        ends = [f"{s}_n{i}" if layers > 1 else f"{s}_n" for s in states]
        full = f"{node_name(name, module)}.l{i}" if layers > 1 else node_name(name, module)
        nodes.append(helper.make_node(kind, inputs, [f"all{i}", *ends], name=full, **attributes))
        nodes.append(
            helper.make_node("Transpose", [f"all{i}"], [f"turned{i}"], perm=[0, 2, 1, 3])
        )
        x = "y" if i == layers - 1 else f"y{i}"
        nodes.append(helper.make_node("Reshape", [f"turned{i}", "merged"], [x]))
    if layers > 1:
        for s in states:
            parts = [f"{s}_n{i}" for i in range(layers)]
            nodes.append(helper.make_node("Concat", parts, [f"{s}_n"], axis=0))

    def port(port_name: str, shape: list[Any], of: int = TensorProto.FLOAT) -> Any:
        return helper.make_tensor_value_info(port_name, of, shape)

    state = [layers * directions, "batch", hidden]
    return model_of(
        nodes,
        [
            port("x", ["steps", "batch", module.input_size]),
            port("lengths", ["batch"], TensorProto.INT32),
            *(port(s, state) for s in states),
        ],
        [
            port("y", ["steps", "batch", directions * hidden]),
            *(port(f"{s}_n", state) for s in states),
        ],
        constants,
    )
