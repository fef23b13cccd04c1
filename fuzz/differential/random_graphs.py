#!/usr/bin/env python3
"""Random graphs of listed operators, opsets and odd shapes, in pbatch and ONNX Runtime.

    python3 fuzz/differential/random_graphs.py build/release/cli/pbatch [SECONDS] [SEED]

Prints one line for each graph that differs, and keeps it as differs-SEED.onnx. Graphs that ONNX
Runtime refuses do not count. README.md lists where the two differ on purpose.
"""
import sys
import time

import numpy as np
import onnx
from onnx import TensorProto as T
from onnx import helper

from beside import difference, model_of, onnxruntime_outputs, pbatch_outputs

TOLERANCE = 1e-4   # chains of functions amplify the last bit

UNARY = ["Relu", "Sigmoid", "Tanh", "Abs", "Neg", "Exp", "Softplus", "Softsign", "Erf", "Floor",
         "Ceil", "Sin", "Cos", "Atan", "Elu", "Selu", "LeakyRelu", "HardSigmoid", "Identity",
         "Celu", "ThresholdedRelu", "Sign", "Round"]
BINARY = ["Add", "Sub", "Mul", "Max", "Min", "PRelu"]


class Builder:
    """A chain of nodes over one float value whose shape is known on the way."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        self.opset = int(self.rng.integers(13, 22))
        self.nodes, self.constants, self.count = [], [], 0

    def constant(self, array):
        self.constants.append((f"c{len(self.constants)}", array))
        return self.constants[-1][0]

    def node(self, op, inputs, **attributes):
        self.count += 1
        self.nodes.append(helper.make_node(op, inputs, [f"v{self.count}"], **attributes))
        return f"v{self.count}"

    def normal(self, *shape):
        return self.rng.standard_normal(shape).astype(np.float32)

    def ints(self, *values):
        return self.constant(np.array(values, np.int64))

    def step(self, x, shape):
        """One more node on x of this shape; the value and its shape."""
        kinds = [self.unary, self.binary, self.transpose, self.reduce, self.pad, self.slice,
                 self.softmax]
        if len(shape) >= 2:
            kinds += [self.matmul, self.concat]
        if len(shape) == 4:
            kinds += [self.conv, self.pool, self.resize, self.conv_transpose]
        return kinds[self.rng.integers(len(kinds))](x, shape)

    def unary(self, x, shape):
        return self.node(str(self.rng.choice(UNARY)), [x]), shape

    def binary(self, x, shape):
        other = [d if self.rng.random() < .6 else 1 for d in shape[self.rng.integers(len(shape)):]]
        return self.node(str(self.rng.choice(BINARY)), [x, self.constant(self.normal(*other))]), shape

    def transpose(self, x, shape):
        perm = [int(p) for p in self.rng.permutation(len(shape))]
        return self.node("Transpose", [x], perm=perm), [shape[p] for p in perm]

    def reduce(self, x, shape):
        axis = int(self.rng.integers(len(shape)))
        return (self.node("ReduceSum", [x, self.ints(axis)]),
                [1 if i == axis else d for i, d in enumerate(shape)])

    def pad(self, x, shape):
        pads = self.rng.integers(0, 3, 2 * len(shape))
        mode = str(self.rng.choice(["constant", "edge"]))
        grown = [d + int(pads[i] + pads[i + len(shape)]) for i, d in enumerate(shape)]
        return self.node("Pad", [x, self.ints(*pads)], mode=mode), grown

    def slice(self, x, shape):
        axis = int(self.rng.integers(len(shape)))
        end = int(self.rng.integers(1, shape[axis] + 1))
        return (self.node("Slice", [x, self.ints(0), self.ints(end), self.ints(axis)]),
                [end if i == axis else d for i, d in enumerate(shape)])

    def softmax(self, x, shape):
        return self.node("Softmax", [x], axis=int(self.rng.integers(len(shape)))), shape

    def matmul(self, x, shape):
        n = int(self.rng.integers(1, 9))
        return (self.node("MatMul", [x, self.constant(self.normal(shape[-1], n))]),
                shape[:-1] + [n])

    def concat(self, x, shape):
        axis = int(self.rng.integers(len(shape)))
        return (self.node("Concat", [x, x], axis=axis),
                [2 * d if i == axis else d for i, d in enumerate(shape)])

    def conv(self, x, shape):
        m, k = int(self.rng.integers(1, 5)), int(self.rng.integers(1, 4))
        made = self.node("Conv", [x, self.constant(self.normal(m, shape[1], k, k))],
                         pads=[k // 2] * 4)
        return made, [shape[0], m] + [d + 2 * (k // 2) - k + 1 for d in shape[2:]]

    def conv_transpose(self, x, shape):
        m, k, s = (int(v) for v in self.rng.integers(1, 4, 3))
        made = self.node("ConvTranspose", [x, self.constant(self.normal(shape[1], m, k, k))],
                         strides=[s, s])
        return made, [shape[0], m] + [s * (d - 1) + k for d in shape[2:]]

    def pool(self, x, shape):
        op = str(self.rng.choice(["MaxPool", "AveragePool"]))
        return self.node(op, [x], kernel_shape=[2, 2], pads=[1, 1, 0, 0]), shape

    def resize(self, x, shape):
        sizes = shape[:2] + [int(v) for v in self.rng.integers(1, 9, 2)]
        made = self.node("Resize", [x, "", "", self.ints(*sizes)],
                         mode=str(self.rng.choice(["nearest", "linear", "cubic"])),
                         coordinate_transformation_mode=str(self.rng.choice(
                             ["half_pixel", "align_corners", "asymmetric"])))
        return made, sizes


def random_model(seed):
    b = Builder(seed)
    shape = [int(d) for d in b.rng.integers(1, 7, b.rng.integers(1, 5))]
    feeds = {"x": b.normal(*shape)}
    value = "x"
    for _ in range(int(b.rng.integers(1, 9))):
        if np.prod(shape) > 1e5:
            break
        value, shape = b.step(value, shape)
    model = model_of(b.nodes, [("x", T.FLOAT, [None] * feeds["x"].ndim)], [(value, T.FLOAT, None)],
                     b.constants, b.opset)
    return model, feeds


def main():
    pbatch = sys.argv[1]
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 60
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else 0
    end, counts = time.time() + seconds, {"same": 0, "different": 0, "refused by ONNX Runtime": 0}
    while time.time() < end:
        model, feeds = random_model(seed)
        seed += 1
        try:
            theirs = onnxruntime_outputs(model, feeds)
        except Exception:
            counts["refused by ONNX Runtime"] += 1
            continue
        ours = pbatch_outputs(pbatch, model, feeds)
        problem = ours if isinstance(ours, str) else difference(ours, theirs)
        if isinstance(problem, float) and problem <= TOLERANCE:
            counts["same"] += 1
            continue
        counts["different"] += 1
        onnx.save(model, f"differs-{seed - 1}.onnx")
        print(f"seed {seed - 1}: {' '.join(n.op_type for n in model.graph.node)}: {problem}",
              flush=True)
    print(", ".join(f"{n} {k}" for k, n in counts.items()))
    sys.exit(counts["different"] != 0)


if __name__ == "__main__":
    main()
