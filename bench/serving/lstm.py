#!/usr/bin/env python3
"""A network to serve: an LSTM of random weights over a sequence, batches first, and a class for each item.

    bench/serving/lstm.py OUT.onnx [--units 1024] [--inputs 256] [--steps 16]

Its product of a step reads all weights, as in every recurrent layer, so its time follows their bits.
Needs numpy and onnx.
"""

import argparse

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def network(units, inputs, steps, seed=1):
    """x [items][steps][inputs] to y [items][10]."""
    random = np.random.default_rng(seed)

    def weights(*shape):
        values = random.standard_normal(shape) / np.sqrt(shape[-1])
        return values.astype(np.float32)

    constants = {
        "w": weights(1, 4 * units, inputs), "r": weights(1, 4 * units, units),
        "v": weights(units, 10), "first": np.zeros(1, np.int64),
    }  # fmt: skip
    nodes = [
        helper.make_node("Transpose", ["x"], ["by_step"], perm=[1, 0, 2]),
        helper.make_node("LSTM", ["by_step", "w", "r"], ["", "last"], hidden_size=units, name="lstm"),
        helper.make_node("Squeeze", ["last", "first"], ["state"]),
        helper.make_node("MatMul", ["state", "v"], ["y"], name="classes"),
    ]
    graph = helper.make_graph(
        nodes, "lstm",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["items", steps, inputs])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["items", 10])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )  # fmt: skip
    opset = helper.make_opsetid("", 14)
    return helper.make_model(graph, opset_imports=[opset], ir_version=8)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out")
    parser.add_argument("--units", type=int, default=1024)
    parser.add_argument("--inputs", type=int, default=256)
    parser.add_argument("--steps", type=int, default=16)
    args = parser.parse_args()
    onnx.save(network(args.units, args.inputs, args.steps), args.out)


if __name__ == "__main__":
    main()
