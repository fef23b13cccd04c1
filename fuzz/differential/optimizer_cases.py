"""What optimizers and quantizers write: fused operators, attention, integers. Cases of build_case.py."""
import itertools

import numpy as np
from onnx import TensorProto as T

from build_case import DYNAMIC, case, codes, ms, normal, rng, scales, std


def fused():
    x = normal(2, 3, 4)
    for op in ("Gelu", "QuickGelu", "FastGelu"):
        yield case(op, [ms(op, ["x"], ["y"])], {"x": x}, ["y"])
    for op in ("BiasGelu", "FastGelu"):
        yield case(f"{op} with bias", [ms(op, ["x", "b"], ["y"])], {"x": x}, ["y"],
                   {"b": normal(4)})
    params = {"LeakyRelu": [.1], "HardSigmoid": [.3, .4], "Clip": [-.5, .5]}
    for act in ("Relu", "Tanh", "Sigmoid", "LeakyRelu", "HardSigmoid", "Clip"):
        extra = {"activation_params": params[act]} if act in params else {}
        yield case(f"FusedConv {act}",
                   [ms("FusedConv", ["x", "w", "b"], ["y"], activation=act, **extra)],
                   {"x": normal(1, 2, 4, 4)}, ["y"], {"w": normal(2, 2, 3, 3), "b": normal(2)})
    yield case("FusedConv with addend",
               [ms("FusedConv", ["x", "w", "b", "z"], ["y"], activation="Relu")],
               {"x": normal(1, 2, 4, 4), "z": normal(1, 2, 2, 2)}, ["y"],
               {"w": normal(2, 2, 3, 3), "b": normal(2)})
    for act, extra in (("Relu", {}), ("LeakyRelu", {"activation_alpha": .2})):
        yield case(f"FusedGemm {act}",
                   [ms("FusedGemm", ["x", "w", "b"], ["y"], activation=act, alpha=.5, transB=1,
                       **extra)],
                   {"x": normal(3, 4)}, ["y"], {"w": normal(2, 4), "b": normal(2)})
    yield case("FusedMatMul transB", [ms("FusedMatMul", ["x", "w"], ["y"], alpha=.3, transB=1)],
               {"x": normal(2, 3, 4), "w": normal(2, 2, 4)}, ["y"])
    yield case("FusedMatMul transA", [ms("FusedMatMul", ["x", "w"], ["y"], transA=1)],
               {"x": normal(2, 4, 3)}, ["y"], {"w": normal(4, 2)})


def normalizations():
    x, s = normal(2, 3, 4), normal(2, 3, 4)
    yield case("SkipLayerNormalization",
               [ms("SkipLayerNormalization", ["x", "s", "g", "b", "c"], ["y", "", "", "z"],
                   epsilon=1e-5)],
               {"x": x, "s": s}, ["y", "z"], {"g": normal(4), "b": normal(4), "c": normal(4)})
    yield case("SkipSimplifiedLayerNormalization",
               [ms("SkipSimplifiedLayerNormalization", ["x", "s", "g"], ["y", "", "", "z"],
                   epsilon=1e-5)],
               {"x": x, "s": s}, ["y", "z"], {"g": normal(4)})
    yield case("SimplifiedLayerNormalization",
               [std("SimplifiedLayerNormalization", ["x", "g"], ["y"], epsilon=1e-5, axis=-1)],
               {"x": x}, ["y"], {"g": normal(4)})
    ids = rng.integers(0, 8, (2, 3)).astype(np.int32)
    yield case("EmbedLayerNormalization",
               [ms("EmbedLayerNormalization", ["i", "s", "w", "p", "t", "g", "b", "m"],
                   ["y", "k"])],
               {"i": ids, "s": (ids % 2).astype(np.int32),
                "m": np.array([[1, 1, 0], [1, 1, 1]], np.int32)}, ["y", ("k", T.INT32)],
               {"w": normal(8, 4), "p": normal(5, 4), "t": normal(2, 4), "g": normal(4),
                "b": normal(4)})


def attention():
    x, weights = normal(2, 3, 4), {"w": normal(4, 12), "b": normal(12)}
    masks = {"none": None, "counts": np.array([2, 3], np.int32),
             "ends and starts": np.array([2, 3, 0, 1], np.int32),
             "keys": np.array([[1, 0, 1], [1, 1, 0]], np.int32),
             "matrix": np.array([[[1, 0, 1], [1, 1, 0], [1, 1, 1]]] * 2, np.int32)}
    for name, mask in masks.items():
        for causal in (0, 1):
            feeds, inputs = {"x": x}, ["x", "w", "b"]
            if mask is not None:
                feeds["m"] = mask
                inputs.append("m")
            yield case(f"Attention mask {name} causal {causal}",
                       [ms("Attention", inputs, ["y"], num_heads=2, unidirectional=causal)],
                       feeds, ["y"], weights)
    yield case("Attention with past",
               [ms("Attention", ["x", "w", "b", "", "p"], ["y", "q"], num_heads=2,
                   unidirectional=1)],
               {"x": x, "p": normal(2, 2, 2, 2, 2)}, ["y", "q"], weights)
    yield case("Attention with bias", [ms("Attention", ["x", "w", "b", "", "", "a"], ["y"],
                                          num_heads=2)],
               {"x": x, "a": normal(2, 2, 3, 3)}, ["y"], weights)
    qkv = {"q": normal(2, 3, 4), "k": normal(2, 5, 4), "v": normal(2, 5, 4)}
    multi = lambda inputs, feeds, outputs=("y",), constants=None, **a: (
        [ms("MultiHeadAttention", inputs, list(outputs), num_heads=2, **a)], feeds, list(outputs),
        constants)
    yield case("MultiHeadAttention", *multi(["q", "k", "v"], qkv))
    yield case("MultiHeadAttention with bias and scale",
               *multi(["q", "k", "v", "b"], qkv, constants={"b": normal(12)}, scale=.7))
    yield case("MultiHeadAttention counts",
               *multi(["q", "k", "v", "", "m"], {**qkv, "m": np.array([3, 5], np.int32)}))
    yield case("MultiHeadAttention keys",
               *multi(["q", "k", "v", "", "m"],
                      {**qkv, "m": np.array([[1, 0, 1, 1, 0], [0, 1, 1, 1, 1]], np.int32)}))
    yield case("MultiHeadAttention of heads",
               *multi(["q", "k", "v"], {"q": qkv["q"], "k": normal(2, 2, 5, 2),
                                        "v": normal(2, 2, 5, 2)}))
    yield case("MultiHeadAttention causal with past",
               *multi(["q", "k", "v", "", "", "", "pk", "pv"],
                      {"q": qkv["q"], "k": normal(2, 3, 4), "v": normal(2, 3, 4),
                       "pk": normal(2, 2, 2, 2), "pv": normal(2, 2, 2, 2)},
                      outputs=("y", "a", "b"), unidirectional=1))


def rotary():
    tables = {"c": normal(8, 2), "s": normal(8, 2)}
    yield case("RotaryEmbedding", [ms("RotaryEmbedding", ["x", "p", "c", "s"], ["y"])],
               {"x": normal(2, 3, 8), "p": np.array([[0, 1, 2], [4, 5, 6]], np.int64)}, ["y"],
               tables)
    yield case("RotaryEmbedding interleaved",
               [ms("RotaryEmbedding", ["x", "p", "c", "s"], ["y"], interleaved=1)],
               {"x": normal(2, 2, 3, 4), "p": np.array([3], np.int64)}, ["y"], tables)
    angles = normal(16, 8)
    tables = {"c": np.cos(angles), "s": np.sin(angles)}
    for heads, window, past in itertools.product((2, 1), (-1, 2), (0, 4)):
        new = 1 if past else 3
        feeds = {"q": normal(1, new, 32), "k": normal(1, new, heads * 16),
                 "v": normal(1, new, heads * 16), "pk": normal(1, heads, past, 16),
                 "pv": normal(1, heads, past, 16), "sl": np.full((1,), past + new - 1, np.int32),
                 "tl": np.array(past + new, np.int32)}
        yield case(f"GroupQueryAttention {heads} window {window} past {past}",
                   [ms("GroupQueryAttention", ["q", "k", "v", "pk", "pv", "sl", "tl", "c", "s"],
                       ["y", "a", "b"], num_heads=2, kv_num_heads=heads, do_rotary=1,
                       local_window_size=window)], feeds, ["y", "a", "b"], tables)
    yield case("GroupQueryAttention packed, softcap",
               [ms("GroupQueryAttention", ["q", "", "", "pk", "pv", "sl", "tl"], ["y", "a", "b"],
                   num_heads=2, kv_num_heads=1, softcap=2.0)],
               {"q": normal(1, 3, 32), "pk": normal(1, 1, 0, 8), "pv": normal(1, 1, 0, 8),
                "sl": np.array([2], np.int32), "tl": np.array(3, np.int32)}, ["y", "a", "b"])


def quantized():
    for bits, zero in itertools.product((2, 4, 8), (False, True)):
        k, n, block = 40, 3, 32
        constants = {"B": codes(n, 2, block * bits // 8), "s": normal(n * 2)}
        if zero:
            constants["z"] = codes(n * ((2 * bits + 7) // 8))
        yield case(f"MatMulNBits {bits}{' zero points' if zero else ''}",
                   [ms("MatMulNBits", ["x", *constants], ["y"], K=k, N=n, bits=bits,
                       block_size=block, accuracy_level=0)], {"x": normal(2, k)}, ["y"], constants)
    w = codes(8, 3, dtype=np.int8)
    yield case("DynamicQuantizeMatMul",
               [ms("DynamicQuantizeMatMul", ["x", "w", "s", "z", "b"], ["y"])],
               {"x": normal(3, 8)}, ["y"],
               {"w": w, "s": np.float32([.02]), "z": np.int8([3]), "b": normal(3)},
               tolerance=DYNAMIC)
    yield case("MatMulIntegerToFloat",
               [std("DynamicQuantizeLinear", ["x"], ["q", "s", "z"]),
                ms("MatMulIntegerToFloat", ["q", "w", "s", "ws", "z", "wz", "b"], ["y"])],
               {"x": normal(3, 8)}, ["y"],
               {"w": w, "ws": scales(3), "wz": np.zeros(3, np.int8), "b": normal(3)},
               tolerance=DYNAMIC)
    yield case("MatMulInteger, Cast, Mul",
               [std("DynamicQuantizeLinear", ["x"], ["q", "s", "z"]),
                std("MatMulInteger", ["q", "w", "z", "wz"], ["i"]), std("Cast", ["i"], ["c"], to=1),
                std("Mul", ["s", "ws"], ["t"]), std("Mul", ["c", "t"], ["y"])],
               {"x": normal(3, 8)}, ["y"],
               {"w": w, "ws": np.float32([.02]), "wz": np.int8([2])}, tolerance=DYNAMIC)
    yield case("MatMulInteger of two activations",
               [std("DynamicQuantizeLinear", ["x"], ["q", "s", "z"]),
                std("DynamicQuantizeLinear", ["u"], ["r", "t", "o"]),
                std("MatMulInteger", ["q", "r", "z", "o"], ["i"]), std("Cast", ["i"], ["c"], to=1),
                std("Mul", ["s", "t"], ["m"]), std("Mul", ["c", "m"], ["y"])],
               {"x": normal(3, 8), "u": normal(8, 2)}, ["y"], tolerance=DYNAMIC)
    yield case("ConvInteger, Cast, Mul, Add",
               [std("DynamicQuantizeLinear", ["x"], ["q", "s", "z"]),
                std("ConvInteger", ["q", "w", "z", "wz"], ["i"]), std("Cast", ["i"], ["c"], to=1),
                std("Mul", ["s", "ws"], ["t"]), std("Mul", ["c", "t"], ["d"]),
                std("Add", ["d", "b"], ["y"])],
               {"x": normal(1, 2, 4, 4)}, ["y"],
               {"w": codes(2, 2, 3, 3), "ws": np.float32(.02), "wz": np.uint8(120),
                "b": normal(1, 2, 1, 1)}, tolerance=DYNAMIC)
    yield case("MatMulInteger", [std("MatMulInteger", ["q", "w", "z"], ["y"])],
               {"q": codes(2, 2, 90)}, [("y", T.INT32)],
               {"w": codes(90, 2, dtype=np.int8), "z": np.uint8([7])})
    yield case("QAttention",
               [std("DynamicQuantizeLinear", ["x"], ["q", "s", "z"]),
                ms("QAttention", ["q", "w", "b", "s", "ws", "", "z", "wz"], ["y"], num_heads=2)],
               {"x": normal(1, 3, 4)}, ["y"],
               {"w": codes(4, 12, dtype=np.int8), "b": normal(12), "ws": np.float32(.005),
                "wz": np.int8(0)}, tolerance=DYNAMIC)
    yield case("DynamicQuantizeLSTM",
               [ms("DynamicQuantizeLSTM", ["x", "w", "r", "b", "", "", "", "", "ws", "wz", "rs",
                                           "rz"], ["y"], hidden_size=2)],
               {"x": normal(3, 2, 4)}, ["y"],
               {"w": codes(1, 4, 8, dtype=np.int8), "r": codes(1, 2, 8, dtype=np.int8),
                "b": normal(1, 16), "ws": np.float32([.01]), "wz": np.int8([0]),
                "rs": np.float32([.01]), "rz": np.int8([0])}, tolerance=DYNAMIC)


def calibrated():
    points = {"as": np.float32(.03), "az": np.uint8(120), "bs": np.float32(.05),
              "bz": np.uint8(100), "cs": np.float32(.07), "cz": np.uint8(110)}
    a, b = codes(1, 2, 2, 3), codes(1, 2, 2, 3)
    conv = {"w": codes(2, 2, 3, 3, dtype=np.int8), "ws": scales(2), "wz": np.zeros(2, np.int8)}
    yield case("QuantizeLinear, DequantizeLinear, Conv",
               [std("QuantizeLinear", ["x", "as", "az"], ["q"]),
                std("DequantizeLinear", ["q", "as", "az"], ["f"]),
                std("DequantizeLinear", ["w", "ws", "wz"], ["v"], axis=0),
                std("Conv", ["f", "v"], ["y"])],
               {"x": normal(1, 2, 4, 4)}, ["y"], {**conv, "as": points["as"], "az": points["az"]})
    yield case("QLinearConv",
               [std("QLinearConv", ["x", "as", "az", "w", "ws", "wz", "cs", "cz", "b"], ["y"])],
               {"x": codes(1, 2, 4, 4)}, [("y", T.UINT8)],
               {**conv, **{k: points[k] for k in ("as", "az", "cs", "cz")},
                "b": rng.integers(-900, 900, 2).astype(np.int32)})
    for op in ("QLinearAdd", "QLinearMul"):
        yield case(op, [ms(op, ["a", "as", "az", "b", "bs", "bz", "cs", "cz"], ["y"])],
                   {"a": a, "b": b}, [("y", T.UINT8)], points)
    one = {k: points[k] for k in ("as", "az", "cs", "cz")}
    for op, extra in (("QLinearSigmoid", {}), ("QLinearLeakyRelu", {"alpha": .1}),
                      ("QLinearGlobalAveragePool", {})):
        yield case(op, [ms(op, ["a", "as", "az", "cs", "cz"], ["y"], **extra)], {"a": a},
                   [("y", T.UINT8)], one)
    yield case("QLinearConcat",
               [ms("QLinearConcat", ["cs", "cz", "a", "as", "az", "b", "bs", "bz"], ["y"],
                   axis=1)], {"a": a, "b": b}, [("y", T.UINT8)], points)
    yield case("QGemm",
               [ms("QGemm", ["a", "as", "az", "b", "bs", "bz", "c", "cs", "cz"], ["y"], transB=1)],
               {"a": codes(3, 8)}, [("y", T.UINT8)],
               {"b": codes(2, 8), "c": rng.integers(-99, 99, 2).astype(np.int32), **points})
