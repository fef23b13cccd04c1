"""ONNX Runtime's products of low-bit matrices, as contenders: built, checked, timed.

MatMulNBits (com.microsoft) has 2, 4 or 8 bits a weight and a float scale for every 128 of them; its
`accuracy_level` 4 rounds the activations to 8 bits. Of block sizes 32, 64 and 128 and of all levels
these are the fastest. DynamicQuantizeMatMul rounds the activations to 8 bits, too, and has int8
weights with a scale for every row.
"""

import time

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

import contender

BLOCK = 128
ACCURACY_LEVEL = 4
TOLERANCE = 0.03            # of rounding the activations to 8 bits: about 0.01
NAMES = ("ort_nbits2", "ort_nbits4", "ort_nbits8", "ort_dynamic_int8")

DOMAIN = "com.microsoft"


def quantize_blocks(weights, bits):
    """Codes [rows][blocks][BLOCK], scales [rows][blocks] and the floats [rows][cols] they stand for."""
    rows, cols = weights.shape
    blocks = -(-cols // BLOCK)
    padded = np.zeros((rows, blocks * BLOCK), np.float32)
    padded[:, :cols] = weights
    padded = padded.reshape(rows, blocks, BLOCK)
    zero = 1 << (bits - 1)
    scales = (np.abs(padded).max(axis=2) / max(zero - 0.5, 1)).astype(np.float32)
    scales[scales == 0] = 1
    codes = np.clip(np.rint(padded / scales[..., None]) + zero, 0, 2 * zero - 1).astype(np.uint8)
    floats = (codes.astype(np.float32) - zero) * scales[..., None]
    return codes, scales, floats.reshape(rows, -1)[:, :cols]


def pack_codes(codes, bits):
    """8 / bits codes to a byte, the first in the lowest bits."""
    per_byte = 8 // bits
    parts = codes.reshape(*codes.shape[:-1], -1, per_byte).astype(np.uint32)
    shifts = np.arange(per_byte, dtype=np.uint32) * bits
    return (parts << shifts).sum(axis=-1).astype(np.uint8)


class Matrix:
    """One operator's weights: initializers by suffix, the node, and the floats they stand for."""

    def __init__(self, name, weights):
        rows, cols = weights.shape
        self.name, self.rows, self.cols = name, rows, cols
        if name == "ort_dynamic_int8":
            self.bits = 8
            scale = (np.abs(weights).max(axis=1) / 127).astype(np.float32)
            codes = np.rint(weights / scale[:, None]).astype(np.int8)
            self.tensors = {"B": np.ascontiguousarray(codes.T), "scale": scale,
                            "zero": np.zeros(rows, np.int8)}
            self.floats = codes.astype(np.float32) * scale[:, None]
        else:
            self.bits = int(name.removeprefix("ort_nbits"))
            codes, scale, self.floats = quantize_blocks(weights, self.bits)
            self.tensors = {"B": pack_codes(codes, self.bits), "scale": scale.reshape(-1)}
        self.bytes = sum(t.nbytes for t in self.tensors.values())

    def node(self, suffix, output):
        inputs = ["A"] + [f"{key}{suffix}" for key in self.tensors]
        if self.name == "ort_dynamic_int8":
            return helper.make_node("DynamicQuantizeMatMul", inputs, [output], domain=DOMAIN)
        return helper.make_node("MatMulNBits", inputs, [output], domain=DOMAIN, K=self.cols,
                                N=self.rows, bits=self.bits, block_size=BLOCK,
                                accuracy_level=ACCURACY_LEVEL)

    def initializers(self, copy):
        """Those of a copy whose rows are turned by `copy`: ONNX Runtime keeps equal weights once."""
        return [numpy_helper.from_array(self.turned(key, t, copy), f"{key}{copy}")
                for key, t in self.tensors.items()]

    def turned(self, key, tensor, copy):
        if key == "B" and self.name == "ort_dynamic_int8":
            return np.roll(tensor, copy, axis=1)
        by_row = tensor.reshape(self.rows, -1)
        return np.roll(by_row, copy, axis=0).reshape(tensor.shape)


def products_model(matrix, batch, copies):
    """`copies` products of A, each of a matrix of its own."""
    nodes = [matrix.node(i, f"Y{i}") for i in range(copies)]
    initializers = [t for i in range(copies) for t in matrix.initializers(i)]
    inputs = [helper.make_tensor_value_info("A", TensorProto.FLOAT, [batch, matrix.cols])]
    outputs = [helper.make_tensor_value_info(f"Y{i}", TensorProto.FLOAT, [batch, matrix.rows])
               for i in range(copies)]
    graph = helper.make_graph(nodes, "products", inputs, outputs, initializer=initializers)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid(DOMAIN, 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()


class Session:
    """A model with its inputs and outputs bound, so that a call copies nothing."""

    def __init__(self, serialized, threads, inputs):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "1")
        self.session = onnxruntime.InferenceSession(serialized, options,
                                                    providers=["CPUExecutionProvider"])
        self.binding = self.session.io_binding()
        self.values = []
        for name, array in inputs.items():
            self.values.append(onnxruntime.OrtValue.ortvalue_from_numpy(array))
            self.binding.bind_ortvalue_input(name, self.values[-1])
        self.outputs = []
        for output in self.session.get_outputs():
            y = onnxruntime.OrtValue.ortvalue_from_numpy(np.zeros(output.shape, np.float32))
            self.outputs.append(y)
            self.binding.bind_ortvalue_output(output.name, y)

    def run(self):
        self.session.run_with_iobinding(self.binding)

    def time_us(self):
        begin = time.perf_counter_ns()
        self.run()
        return (time.perf_counter_ns() - begin) / 1e3

    def answers(self):
        self.run()
        return [y.numpy() for y in self.outputs]


def tiny_call_us(threads, calls=2000):
    """What calling a session costs when there is next to nothing to compute."""
    matrix = Matrix("ort_nbits4", np.ones((16, 32), np.float32))
    session = Session(products_model(matrix, 1, 1), threads, {"A": np.ones((1, 32), np.float32)})
    return min(session.time_us() for _ in range(calls))


class Contender(contender.Contender):
    """A product by one of NAMES; cold, one session goes through all matrices."""

    def __init__(self, name, rows, cols, batch, threads, cold, call_us):
        rng = np.random.default_rng(rows * 31 + cols)
        matrix = Matrix(name, rng.standard_normal((rows, cols), dtype=np.float32))
        a = rng.standard_normal((batch, cols), dtype=np.float32)
        self.name, self.bits, self.bytes = name, matrix.bits, matrix.bytes
        super().__init__(threads, cold, call_us)
        self.session = Session(products_model(matrix, batch, self.copies), threads, {"A": a})
        self.check(matrix, a)

    def check(self, matrix, a):
        right = a.astype(np.float64) @ matrix.floats.T.astype(np.float64)
        for copy, y in enumerate(self.session.answers()):
            error = np.linalg.norm(y - np.roll(right, copy, axis=1)) / np.linalg.norm(right)
            if not error < TOLERANCE:
                raise SystemExit(f"{self.name} computes a wrong product: relative error {error:.2e}")

    def run(self):
        self.session.run()


def versions():
    return {"onnxruntime": onnxruntime.__version__, "onnx": onnx.__version__,
            "numpy": np.__version__}
