"""The baseline of the paper's figure: weights in 4 bits under one scale per tensor."""

import common
from common import np, numpy_helper, onnx

# Operators with weights, and which inputs those are.
WEIGHTS = {"MatMul": (0, 1), "Gemm": (0, 1), "Conv": (1,), "Gather": (0,), "LSTM": (1, 2),
           "GRU": (1, 2), "RNN": (1, 2)}
# What may stand between a constant and its use: the numbers stay, so rounding before is the same.
MOVES = {"Identity", "Transpose", "Reshape", "Squeeze", "Unsqueeze"}


def round_per_tensor(weights):
    """Codes -7 .. 7 times one scale, which is the greatest magnitude over 7: nothing is clipped."""
    greatest = np.abs(weights).max()
    if greatest == 0:
        return weights
    scale = np.float64(greatest) / 7
    return (np.rint(weights / scale) * scale).astype(np.float32)


def graphs(graph):
    """A graph and all that its nodes carry: branches of If, bodies of Loop and Scan."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            inner = [attribute.g] if attribute.HasField("g") else []
            for part in [*inner, *attribute.graphs]:
                yield from graphs(part)


def weight_names(model):
    """Names of the values that some operator multiplies by or looks up in."""
    nodes = [node for graph in graphs(model.graph) for node in graph.node]
    maker = {name: node for node in nodes for name in node.output}
    names = set()
    for node in nodes:
        for index in WEIGHTS.get(node.op_type, ()):
            name = node.input[index] if index < len(node.input) else ""
            while name in maker and maker[name].op_type in MOVES:
                name = maker[name].input[0]
            names.add(name)
    return names - {""}


def constants(model):
    """(name, tensor) of all constants, those of Constant nodes too."""
    for graph in graphs(model.graph):
        for tensor in graph.initializer:
            yield tensor.name, tensor
        for node in graph.node:
            if node.op_type == "Constant":
                for attribute in node.attribute:
                    if attribute.name == "value":
                        yield node.output[0], attribute.t


def round_network(source, target, min_elements=4096):
    """Writes the float network `source` with rounded weights; the names of those that were.

    Activations stay floats, and so do small matrices, as `pbatch quantize` leaves them.
    """
    model = onnx.load(str(common.existing(source)))
    names = weight_names(model)
    rounded = []
    for name, tensor in constants(model):
        if name not in names or tensor.data_type != common.FLOAT or len(tensor.dims) < 2:
            continue
        array = numpy_helper.to_array(tensor)
        if array.size >= min_elements:
            tensor.CopyFrom(numpy_helper.from_array(round_per_tensor(array), tensor.name))
            rounded.append(name)
    onnx.save(model, str(target))
    return rounded
