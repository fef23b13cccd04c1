"""A case: (name, model, feeds, tolerance), of one operator or pattern, all from one seed."""
import itertools

import numpy as np
from onnx import TensorProto as T
from onnx import helper

from beside import model_of

TYPES = {"float32": T.FLOAT, "int32": T.INT32, "int64": T.INT64, "uint8": T.UINT8,
         "int8": T.INT8, "bool": T.BOOL}
DYNAMIC = 3e-2   # the rounding of activations quantized as they come

rng = np.random.default_rng(1)
counter = itertools.count()


def normal(*shape, scale=1.0):
    return (rng.standard_normal(shape) * scale).round(3).astype(np.float32)


def codes(*shape, dtype=np.uint8):
    info = np.iinfo(dtype)
    return rng.integers(info.min, info.max + 1, shape).astype(dtype)


def scales(n):
    return (np.abs(normal(n)) * 0.02 + 0.005).astype(np.float32)


def ms(op, inputs, outputs, domain="com.microsoft", **attributes):
    return helper.make_node(op, inputs, outputs, name=f"n{next(counter)}", domain=domain,
                            **attributes)


def std(op, inputs, outputs, **attributes):
    return ms(op, inputs, outputs, domain="", **attributes)


def case(name, nodes, feeds, outputs, constants=None, opset=17, tolerance=1e-5):
    inputs = [(k, TYPES[str(v.dtype)], [None] * v.ndim) for k, v in feeds.items()]
    outputs = [o if isinstance(o, tuple) else (o, T.FLOAT) for o in outputs]
    model = model_of(nodes, inputs, [(n, t, None) for n, t in outputs],
                     list((constants or {}).items()), opset)
    return name, model, feeds, tolerance
