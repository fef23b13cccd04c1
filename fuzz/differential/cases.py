"""All cases: those of optimizer_cases.py, and operators of ONNX. write_cases.py keeps them, with ONNX
Runtime's answers, as text for tests/op/beside_onnxruntime_test.cc.
"""
import itertools

import numpy as np
from onnx import TensorProto as T

from build_case import case, ms, normal, std
from optimizer_cases import attention, calibrated, fused, normalizations, quantized, rotary


def images():
    x = normal(1, 1, 3, 4)
    sized = lambda h, w: {"n": np.array([1, 1, h, w], np.int64)}
    for mode, to in itertools.product(("half_pixel", "pytorch_half_pixel", "align_corners",
                                       "asymmetric"), ((5, 7), (2, 3), (1, 1))):
        for kind in ("nearest", "linear", "cubic"):
            yield case(f"Resize {kind} {mode} {to}",
                       [std("Resize", ["x", "", "", "n"], ["y"], mode=kind,
                            coordinate_transformation_mode=mode)], {"x": x}, ["y"], sized(*to))
    for rounding in ("round_prefer_ceil", "floor", "ceil"):
        yield case(f"Resize nearest {rounding}",
                   [std("Resize", ["x", "", "s"], ["y"], nearest_mode=rounding,
                        coordinate_transformation_mode="asymmetric")], {"x": x}, ["y"],
                   {"s": np.float32([1, 1, .6, 2.5])})
    for kind in ("linear", "cubic"):
        yield case(f"Resize {kind} antialias",
                   [std("Resize", ["x", "", "", "n"], ["y"], mode=kind, antialias=1)],
                   {"x": normal(1, 1, 6, 7)}, ["y"], sized(3, 3), opset=18)
    for policy in ("not_larger", "not_smaller"):
        yield case(f"Resize {policy}",
                   [std("Resize", ["x", "", "", "n"], ["y"], mode="linear", axes=[2, 3],
                        keep_aspect_ratio_policy=policy)], {"x": x}, ["y"],
                   {"n": np.array([6, 5], np.int64)}, opset=18)
    yield case("Upsample of opset 9", [std("Upsample", ["x", "s"], ["y"], mode="linear")],
               {"x": x}, ["y"], {"s": np.float32([1, 1, 2, 2])}, opset=9)
    for name, shape, extra in (("1 d", (1, 2, 4), {"strides": [2]}),
                               ("groups", (1, 4, 3, 3), {"group": 2, "strides": [2, 1]}),
                               ("output_padding", (1, 2, 3, 3),
                                {"strides": [2, 2], "output_padding": [1, 1], "pads": [1] * 4}),
                               ("dilations", (1, 2, 3, 3), {"dilations": [2, 1]}),
                               ("3 d", (1, 2, 2, 2, 2), {"strides": [2, 1, 2]}),
                               ("same upper", (1, 2, 3, 3),
                                {"auto_pad": "SAME_UPPER", "strides": [2, 2]}),
                               ("output_shape", (1, 2, 3, 3),
                                {"output_shape": [6, 7], "strides": [2, 2]})):
        kernel = (2,) * (len(shape) - 2) if name == "3 d" else (3,) * (len(shape) - 2)
        groups = extra.get("group", 1)
        yield case(f"ConvTranspose {name}", [std("ConvTranspose", ["x", "w", "b"], ["y"], **extra)],
                   {"x": normal(*shape)}, ["y"],
                   {"w": normal(shape[1], 2, *kernel), "b": normal(2 * groups)})


def linear_models():
    ml = lambda op, outputs, **a: ms(op, ["x"], outputs, domain="ai.onnx.ml", **a)
    x = {"x": normal(3, 2)}
    yield case("Scaler", [ml("Scaler", ["y"], offset=[.5, -1.], scale=[2., 3.])], x, ["y"])
    for norm in ("MAX", "L1", "L2"):
        yield case(f"Normalizer {norm}", [ml("Normalizer", ["y"], norm=norm)],
                   {"x": np.abs(x["x"])}, ["y"])
    yield case("LinearRegressor",
               [ml("LinearRegressor", ["y"], coefficients=[1., 2., 3., 4.], intercepts=[.5, .25],
                   targets=2)], x, ["y"])
    for transform in ("NONE", "SOFTMAX", "LOGISTIC"):
        yield case(f"LinearClassifier {transform}",
                   [ml("LinearClassifier", ["l", "y"], coefficients=[1., 2., -3., 4., .5, -1.],
                       intercepts=[.5, .25, 0.], classlabels_ints=[7, 3, 5],
                       post_transform=transform)], x, [("l", T.INT64), "y"])


def sequences():
    x = {"x": normal(4, 6)}
    at = {"i": np.array(1, np.int64), "z": np.array(0, np.int64), "s": np.array(2, np.int64)}
    sizes = {"s": np.array([1, 5], np.int64)}
    yield case("SplitToSequence of parts, SequenceAt",
               [std("SplitToSequence", ["x", "s"], ["q"], axis=1),
                std("SequenceAt", ["q", "i"], ["y"])], x, ["y"], at)
    yield case("SplitToSequence of ones, SequenceAt",
               [std("SplitToSequence", ["x"], ["q"], axis=1, keepdims=0),
                std("SequenceAt", ["q", "i"], ["y"])], x, ["y"], {"i": at["i"]})
    yield case("SplitToSequence of sizes, SequenceAt, SequenceLength",
               [std("SplitToSequence", ["x", "s"], ["q"], axis=1),
                std("SequenceAt", ["q", "i"], ["y"]), std("SequenceLength", ["q"], ["n"])],
               x, ["y", ("n", T.INT64)], {**sizes, "i": at["i"]})
    yield case("SequenceInsert, SequenceErase, ConcatFromSequence",
               [std("SequenceConstruct", ["x", "x"], ["q"]), std("Neg", ["x"], ["n"]),
                std("SequenceInsert", ["q", "n", "z"], ["r"]),
                std("SequenceErase", ["r", "i"], ["t"]),
                std("ConcatFromSequence", ["t"], ["y"], axis=0),
                std("ConcatFromSequence", ["r"], ["u"], axis=1, new_axis=1)], x, ["y", "u"],
               {"i": at["i"], "z": at["z"]})


def more():
    x = normal(2, 3, 4)
    for equation, shapes in (("bij,bjk->bik", ((2, 3, 4), (2, 4, 2))), ("ij,kj->ik", ((2, 3), (4, 3))),
                             ("bhid,bhjd->bhij", ((1, 2, 3, 2), (1, 2, 4, 2))),
                             ("i,j->ij", ((2,), (3,))), ("...ij,...jk->...ik", ((2, 3, 4), (2, 4, 2))),
                             ("bij->bj", ((2, 3, 4),)), ("ii->i", ((3, 3),)), ("ij,ij->", ((2, 3),) * 2),
                             ("bsd,de->bse", ((1, 3, 4), (4, 2)))):
        names = ["a", "b"][:len(shapes)]
        yield case(f"Einsum {equation}",
                   [std("Einsum", names, ["y"], equation=equation)],
                   {n: normal(*s) for n, s in zip(names, shapes)}, ["y"])
    for equation, a, b in (("bsd,de->bse", (1, 3, 4), (4, 2)), ("bsd,dhk->bshk", (2, 3, 4), (4, 2, 3)),
                           ("bshk,hkd->bsd", (2, 3, 2, 3), (2, 3, 4))):
        yield case(f"Einsum {equation} of a constant",
                   [std("Einsum", ["a", "w"], ["y"], equation=equation)], {"a": normal(*a)}, ["y"],
                   {"w": normal(*b)})
    indices = {"i": np.array([[[0, 2, 1, 0]], [[1, 1, 2, 2]]], np.int64), "u": normal(2, 1, 4)}
    for reduction in ("none", "add", "mul", "min", "max"):
        yield case(f"ScatterElements {reduction}",
                   [std("ScatterElements", ["x", "i", "u"], ["y"], axis=1, reduction=reduction)],
                   {"x": x, **indices}, ["y"], opset=18)
        yield case(f"ScatterND {reduction}",
                   [std("ScatterND", ["x", "i", "u"], ["y"], reduction=reduction)],
                   {"x": x, "i": np.array([[0, 1], [1, -1]], np.int64), "u": normal(2, 4)}, ["y"],
                   opset=18)
    for mode, padding in itertools.product(("linear", "nearest", "cubic"),
                                           ("zeros", "border", "reflection")):
        yield case(f"GridSample {mode} {padding}",
                   [std("GridSample", ["x", "g"], ["y"], mode=mode, padding_mode=padding,
                        align_corners=int(padding == "border"))],
                   {"x": normal(1, 2, 3, 4), "g": normal(1, 2, 3, 2)}, ["y"], opset=20)
    yield case("LRN", [std("LRN", ["x"], ["y"], size=3, alpha=.1)], {"x": normal(1, 4, 2, 2)}, ["y"])
    yield case("RMSNormalization", [std("RMSNormalization", ["x", "s"], ["y"])],
               {"x": x}, ["y"], {"s": normal(4)}, opset=23)
    qkv = {"q": normal(1, 4, 3, 2), "k": normal(1, 2, 5, 2), "v": normal(1, 2, 5, 2)}
    yield case("Attention of ONNX, heads shared",
               [std("Attention", ["q", "k", "v"], ["y"], softcap=2.0)], qkv, ["y"], opset=23)
    yield case("Attention of ONNX, causal, 3 d",
               [std("Attention", ["q", "k", "v"], ["y"], q_num_heads=2, kv_num_heads=2,
                    is_causal=1)],
               {n: normal(1, 3, 4) for n in "qkv"}, ["y"], opset=23)
    yield case("Attention of ONNX, mask and past",
               [std("Attention", ["q", "k", "v", "m", "pk", "pv"], ["y", "a", "b"])],
               {"q": normal(1, 2, 3, 2), "k": normal(1, 2, 3, 2), "v": normal(1, 2, 3, 2),
                "m": normal(3, 5), "pk": normal(1, 2, 2, 2), "pv": normal(1, 2, 2, 2)},
               ["y", "a", "b"], opset=23)


def selected():
    x = normal(3, 2, 4)
    lengths = np.array([2, 0, 3], np.int64)
    yield case("ReverseSequence, time first",
               [std("ReverseSequence", ["x", "l"], ["y"])],
               {"x": normal(4, 3, 2), "l": lengths}, ["y"])
    yield case("ReverseSequence, batch first",
               [std("ReverseSequence", ["x", "l"], ["y"], time_axis=1, batch_axis=0)],
               {"x": normal(3, 4), "l": lengths}, ["y"])
    for axis, keep in ((None, [0, 1, 1, 0, 1]), (0, [1, 0, 1]), (-1, [0, 1, 1])):
        extra = {} if axis is None else {"axis": axis}
        yield case(f"Compress axis {axis}", [std("Compress", ["x", "c"], ["y"], **extra)],
                   {"x": x, "c": np.array(keep, bool)}, ["y"])
    v = np.array([[2, 1, 1], [0, 3, 3], [2, 1, 1], [0, 3, -1]], np.float32)
    for axis, ordered in itertools.product((None, 0, 1), (0, 1)):
        extra = {} if axis is None else {"axis": axis}
        yield case(f"Unique axis {axis} sorted {ordered}",
                   [std("Unique", ["x"], ["y", "i", "j", "c"], sorted=ordered, **extra)],
                   {"x": v}, ["y", *[(n, T.INT64) for n in "ijc"]])
    for axes, to in ((None, [2, 5, 4]), ([2, 0], [7, 2]), ([-2], [3])):
        extra = {} if axes is None else {"axes": axes}
        yield case(f"CenterCropPad axes {axes}",
                   [std("CenterCropPad", ["x", "s"], ["y"], **extra)],
                   {"x": normal(3, 2, 4)}, ["y"], {"s": np.array(to, np.int64)}, opset=18)
    yield case("Det", [std("Det", ["x"], ["y"])], {"x": normal(2, 2, 4, 4)}, ["y"])


def pools():
    for p, extra in ((1, {}), (2, {"pads": [1, 0, 0, 1], "strides": [2, 1]}),
                     (3, {"auto_pad": "SAME_UPPER", "strides": [2, 2]}),
                     (2, {"dilations": [2, 1], "ceil_mode": 1, "strides": [2, 3]})):
        yield case(f"LpPool p {p} {' '.join(extra)}",
                   [std("LpPool", ["x"], ["y"], p=p, kernel_shape=[2, 3], **extra)],
                   {"x": normal(1, 2, 5, 6)}, ["y"], opset=18)
    for p in (1, 2, 3):
        yield case(f"GlobalLpPool p {p}", [std("GlobalLpPool", ["x"], ["y"], p=p)],
                   {"x": normal(2, 3, 4, 5)}, ["y"])
    for shape, extra in (((1, 2, 7), {"kernel_shape": [3], "strides": [2], "pads": [1, 1]}),
                         ((2, 2, 5, 4), {"kernel_shape": [2, 3], "pads": [1, 0, 0, 2]}),
                         ((2, 2, 5, 4), {"kernel_shape": [2, 2], "storage_order": 1}),
                         ((1, 2, 4, 3, 5), {"kernel_shape": [2, 2, 2], "storage_order": 1}),
                         ((1, 1, 6, 6), {"kernel_shape": [2, 2], "dilations": [2, 3]})):
        yield case(f"MaxPool with Indices {shape} {' '.join(extra)}",
                   [std("MaxPool", ["x"], ["y", "i"], **extra)], {"x": normal(*shape)},
                   ["y", ("i", T.INT64)])
    pair = [std("MaxPool", ["x"], ["m", "i"], kernel_shape=[2, 2], strides=[2, 2]),
            std("MaxUnpool", ["m", "i"], ["y"], kernel_shape=[2, 2], strides=[2, 2])]
    yield case("MaxUnpool", pair, {"x": normal(2, 2, 4, 6)}, ["y"], opset=12)


def regions():
    x = normal(2, 2, 6, 5)
    rois = np.array([[0.3, 0.6, 3.2, 4.1], [1, 1, 1.4, 1.2], [-2, 0, 9, 7]], np.float32)
    batch = np.array([0, 1, 1], np.int64)
    for mode, samples, shift in itertools.product(("avg", "max"), (0, 2),
                                                  ("half_pixel", "output_half_pixel")):
        yield case(f"RoiAlign {mode} {samples} {shift}",
                   [std("RoiAlign", ["x", "r", "b"], ["y"], mode=mode, sampling_ratio=samples,
                        coordinate_transformation_mode=shift, output_height=2, output_width=3,
                        spatial_scale=.8)],
                   {"x": x, "r": rois, "b": batch}, ["y"])
    yield case("RoiAlign of opset 10",
               [std("RoiAlign", ["x", "r", "b"], ["y"], output_height=2, output_width=2)],
               {"x": x, "r": rois, "b": batch}, ["y"], opset=10)
    pooled = np.array([[0, 0, 0, 3, 4], [1, 1.6, 2, 4, 5], [1, 3, 3, 3, 3]], np.float32)
    yield case("MaxRoiPool",
               [std("MaxRoiPool", ["x", "r"], ["y"], pooled_shape=[2, 3], spatial_scale=.9)],
               {"x": x, "r": pooled}, ["y"])
    for corners in (0, 1):
        yield case(f"AffineGrid 2 d align_corners {corners}",
                   [std("AffineGrid", ["t", "s"], ["y"], align_corners=corners)],
                   {"t": normal(2, 2, 3)}, ["y"], {"s": np.array([2, 1, 3, 4], np.int64)},
                   opset=20)
        yield case(f"AffineGrid 3 d align_corners {corners}",
                   [std("AffineGrid", ["t", "s"], ["y"], align_corners=corners)],
                   {"t": normal(1, 3, 4), "s": np.array([1, 2, 2, 3, 2], np.int64)}, ["y"],
                   opset=20)
    for columns, image, block, extra in (
            ((1, 12, 12), [4, 5], [2, 2], {}),
            ((2, 6, 4), [5, 6], [2, 3], {"strides": [2, 2], "dilations": [2, 1]}),
            ((1, 4, 20), [4, 5], [2, 2], {"pads": [1, 0, 0, 1]}),
            ((1, 6, 3), [4], [2], {})):
        yield case(f"Col2Im {image} {' '.join(extra)}",
                   [std("Col2Im", ["x", "i", "b"], ["y"], **extra)], {"x": normal(*columns)}, ["y"],
                   {"i": np.array(image, np.int64), "b": np.array(block, np.int64)}, opset=18)


def spectra():
    for name, periodic, size in itertools.product(("Hann", "Hamming", "Blackman"), (0, 1), (6, 9)):
        yield case(f"{name}Window {size} periodic {periodic}",
                   [std(f"{name}Window", ["n"], ["y"], periodic=periodic)],
                   {"n": np.array(size, np.int64)}, ["y"])
    for bands, length, rate, low, high in ((4, 16, 8000, 0, 4000), (5, 25, 16000, 300, 7000)):
        yield case(f"MelWeightMatrix {bands} {length}",
                   [std("MelWeightMatrix", ["m", "n", "r", "l", "h"], ["y"])],
                   {"m": np.array(bands, np.int64), "n": np.array(length, np.int64),
                    "r": np.array(rate, np.int64), "l": np.array(low, np.float32),
                    "h": np.array(high, np.float32)}, ["y"])
    for parts, inverse, axis, length in itertools.product((1, 2), (0, 1), (1, 2), (None, 5, 10)):
        onesided = int(parts == 1 and not inverse and length != 5)
        constants = {} if length is None else {"n": np.array(length, np.int64)}
        yield case(f"DFT parts {parts} inverse {inverse} axis {axis} length {length}",
                   [std("DFT", ["x", *constants], ["y"], axis=axis, inverse=inverse,
                        onesided=onesided)],
                   {"x": normal(1, 7, 3, parts)}, ["y"], constants)
    yield case("DFT of opset 20", [std("DFT", ["x", "", "a"], ["y"], onesided=1)],
               {"x": normal(2, 6, 5, 1)}, ["y"], {"a": np.array(-3, np.int64)}, opset=20)
    for window, length, onesided in itertools.product((None, 8), (None, 8), (0, 1)):
        constants = {"s": np.array(3, np.int64)}
        inputs = ["x", "s"]
        if window is not None:
            constants["w"] = normal(8)
            inputs.append("w")
        if length is not None:
            constants["n"] = np.array(8, np.int64)
            inputs += ["n"] if window is not None else ["", "n"]
        if len(inputs) == 2:
            continue
        yield case(f"STFT window {window} length {length} onesided {onesided}",
                   [std("STFT", inputs, ["y"], onesided=onesided)], {"x": normal(1, 14, 1)}, ["y"],
                   constants)


def features():
    ml = lambda op, inputs, **a: ms(op, inputs, ["y"], domain="ai.onnx.ml", **a)
    x = normal(3, 2)
    holes = np.array([[1, np.nan], [np.nan, 2], [3, 4]], np.float32)
    yield case("Binarizer", [ml("Binarizer", ["x"], threshold=.2)], {"x": x}, ["y"])
    yield case("Imputer of NaN",
               [std("Div", ["n", "n"], ["q"]), std("Where", ["w", "q", "x"], ["m"]),
                ml("Imputer", ["m"], imputed_value_floats=[5.0, 6.0],
                   replaced_value_float=float("nan"))],
               {"x": x, "w": np.isnan(holes)}, ["y"], {"n": np.array(0, np.float32)})
    yield case("Imputer of integers",
               [ml("Imputer", ["x"], imputed_value_int64s=[7], replaced_value_int64=-1)],
               {"x": np.array([[1, -1], [-1, 2]], np.int64)}, [("y", T.INT64)])
    yield case("FeatureVectorizer",
               [ml("FeatureVectorizer", ["x", "z"], inputdimensions=[2, 3])],
               {"x": x, "z": normal(3, 3)}, ["y"])
    yield case("Optional", [std("Optional", ["x"], ["o"]), std("OptionalGetElement", ["o"], ["g"]),
                            std("OptionalHasElement", ["o"], ["h"]), std("Neg", ["g"], ["y"]),
                            std("Cast", ["h"], ["z"], to=T.FLOAT)], {"x": x}, ["y", "z"])


def attention_scores():
    qkv = {"q": normal(1, 4, 3, 2), "k": normal(1, 2, 5, 2), "v": normal(1, 2, 5, 2)}
    seen = np.array([[1, 1, 0, 1, 1], [0, 0, 0, 0, 0], [1, 1, 1, 1, 0]], bool)
    outputs = ["q", "k", "v", "m"], ["y", "", "", "s"]
    # Scores that a mask forbids are -inf, and the least float in ONNX Runtime: mode 2 adds numbers.
    for mode, mask in enumerate((seen, seen, normal(3, 5), seen)):
        yield case(f"Attention of ONNX, scores of mode {mode}",
                   [std("Attention", *outputs, qk_matmul_output_mode=mode, softcap=0.7)],
                   {**qkv, "m": mask}, ["y", "s"], opset=23)
    yield case("Attention of ONNX, a query that no key serves, 3 d",
               [std("Attention", ["q", "k", "v", "m"], ["y"], q_num_heads=2, kv_num_heads=2,
                    is_causal=1)],
               {**{n: normal(1, 3, 4) for n in "qkv"}, "m": np.tril(np.ones((3, 3)), -1) > 0},
               ["y"], opset=23)


def all_cases():
    for family in (fused, normalizations, attention, rotary, quantized, calibrated, images,
                   linear_models, sequences, more, selected, pools, regions, spectra,
                   features, attention_scores):
        yield from family()
