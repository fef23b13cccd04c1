"""What a network is made of, in a few words."""

import common
import naive_int4
from common import onnx


def layer_of(node, dims):
    """'LSTM 256', '4096 × 784'; None for what holds no weights."""
    if node.op_type in ("LSTM", "GRU", "RNN"):
        hidden = next((a.i for a in node.attribute if a.name == "hidden_size"), "?")
        return tuple(node.input[1:3]), f"{node.op_type} {hidden}"
    for index in naive_int4.WEIGHTS.get(node.op_type, ()):
        name = node.input[index]
        if len(dims.get(name, ())) >= 2:
            kind = {"Gather": "table ", "Conv": "Conv "}.get(node.op_type, "")
            return (name,), kind + " × ".join(f"{d:,}" for d in dims[name])
    return None


def describe(path):
    """Layers in the order of the graph, equal ones counted: '2 × LSTM 128, 128 × 65'."""
    model = onnx.load(str(common.existing(path)))
    dims = {name: tuple(tensor.dims) for name, tensor in naive_int4.constants(model)}
    seen, layers = set(), []
    for graph in naive_int4.graphs(model.graph):
        for node in graph.node:
            found = layer_of(node, dims)
            if found and found[0] not in seen:
                seen.add(found[0])
                layers.append(found[1])
    counts = {layer: layers.count(layer) for layer in dict.fromkeys(layers)}
    return ", ".join(layer if n == 1 else f"{n} × ({layer})" if " × " in layer else
                     f"{n} × {layer}" for layer, n in counts.items())
