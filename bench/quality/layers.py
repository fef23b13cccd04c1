#!/usr/bin/env python3
"""The error that few bits make in the products of public networks, layer by layer, on inputs of each network.

    python3 -m venv VENV && VENV/bin/pip install numpy onnxruntime onnx
    VENV/bin/python bench/quality/layers.py --dir DIR [--pbatch build/release/cli/pbatch] [--bits 4] [--try OPTIONS ...]

Takes the networks of bench/networks/networks.json (fetched into DIR), runs each in ONNX Runtime on made-up inputs and keeps
what its products read. `pbatch quantize` makes a model of it with each of the options to try, whose planes are read here by
docs/model-file.md alone. For every matrix product and convolution that is found again: the signal over the error of its
output in dB, pbatch's and that of rounding to nearest between the least and the greatest weight (asymmetric, with an exact
zero, a float scale) of the same groups. Recurrent weights are left out: their rows stand in another order in a model.
"""

import argparse
import json
import pathlib
import struct
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "networks"))
from measure import fetch, make_input, take_out  # noqa: E402

VECTORS = 256  # of inputs that are kept of a layer


def constants(graph: onnx.GraphProto) -> dict:
    """Initializers, constants and what is a transposition of one."""
    found = {i.name: numpy_helper.to_array(i) for i in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant":
            found.update({node.output[0]: numpy_helper.to_array(a.t) for a in node.attribute if a.name == "value"})
        elif node.op_type == "Identity" and node.input[0] in found:
            found[node.output[0]] = found[node.input[0]]
        elif node.op_type == "Transpose" and node.input[0] in found:
            axes = next((list(a.ints) for a in node.attribute if a.name == "perm"), None)
            found[node.output[0]] = np.transpose(found[node.input[0]], axes)
    return found


def windows(x: np.ndarray, node: onnx.NodeProto, kernel: tuple, random: np.random.Generator) -> np.ndarray:
    """Some windows of a convolution, each as a vector [channels * kernel]."""
    given = {a.name: a for a in node.attribute}
    rank = len(kernel)
    ints = lambda name, other: list(given[name].ints) if name in given else other
    strides, dilations, pads = ints("strides", [1] * rank), ints("dilations", [1] * rank), ints("pads", [0] * 2 * rank)
    span = [(k - 1) * d + 1 for k, d in zip(kernel, dilations)]
    if given.get("auto_pad") and given["auto_pad"].s.startswith(b"SAME"):
        for i in range(rank):
            out = -(-x.shape[2 + i] // strides[i])
            total = max(0, (out - 1) * strides[i] + span[i] - x.shape[2 + i])
            first = total // 2 if given["auto_pad"].s == b"SAME_UPPER" else total - total // 2
            pads[i], pads[i + rank] = first, total - first
    x = np.pad(x, [(0, 0), (0, 0)] + [(pads[i], pads[i + rank]) for i in range(rank)])
    out = [x.shape[0]] + [(x.shape[2 + i] - span[i]) // strides[i] + 1 for i in range(rank)]
    picked = random.choice(int(np.prod(out)), min(VECTORS, int(np.prod(out))), replace=False)
    vectors = []
    for at in zip(*np.unravel_index(picked, out)):
        cut = tuple(slice(p * s, p * s + n, d) for p, s, n, d in zip(at[1:], strides, span, dilations))
        vectors.append(x[(at[0], slice(None), *cut)].reshape(-1))
    return np.array(vectors)


def products(path: pathlib.Path, feeds: dict) -> dict:
    """name -> (weights [rows, cols], inputs [vectors, cols]) of matrix products and convolutions of one group."""
    model = onnx.load(path)
    known, jobs = constants(model.graph), []
    for node in model.graph.node:
        if len(node.input) < 2 or node.input[1] not in known:
            continue
        w, given = known[node.input[1]], {a.name: a.i for a in node.attribute}
        if node.op_type == "MatMul" and w.ndim == 2:
            jobs.append((node, w.T, ()))
        elif node.op_type == "Gemm":
            jobs.append((node, w if given.get("transB") else w.T, ()))
        elif node.op_type == "Conv" and given.get("group", 1) == 1:
            jobs.append((node, w.reshape(len(w), -1), w.shape[2:]))
    there = {v.name for v in [*model.graph.output, *model.graph.input]}
    for name in {node.input[0] for node, _, _ in jobs} - there:
        model.graph.output.append(onnx.helper.make_empty_tensor_value_info(name))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    values = dict(zip([o.name for o in session.get_outputs()], session.run(None, feeds)), **feeds)
    random, found = np.random.default_rng(1), {}
    for node, w, kernel in jobs:
        x = np.asarray(values[node.input[0]], np.float32)
        x = windows(x, node, kernel, random) if kernel else x.reshape(-1, w.shape[1])
        if w.size >= 4096 and np.abs(x).max(initial=0) > 0:
            x = x[random.choice(len(x), min(VECTORS, len(x)), replace=False)]
            found[node.name or node.output[0]] = (w.astype(np.float64), x.astype(np.float64))
    return found


def bit_matrices(path: pathlib.Path, bits: int) -> list:
    """(weights of so many planes [rows, cols] in ONNX's order of columns, group, outliers) of a model's matrices."""
    data = path.with_suffix(".safetensors").read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    header, start = json.loads(data[8:8 + length]), 8 + length
    types = {"U8": np.uint8, "F32": np.float32, "I32": np.int32}

    def tensor(name):
        entry = header[name]
        begin, end = entry["data_offsets"]
        return np.frombuffer(data[start + begin:start + end], types[entry["dtype"]]).reshape(entry["shape"])

    def decode(node):
        given = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        rows, cols, group = given["rows"], given["cols"], given["group_size"] or given["cols"]
        layer = next(i for i in node.input if i.endswith("/row_scale"))[:-len("/row_scale")]
        code = np.zeros((-(-rows // 16) * 16, -(-cols // 32) * 32), np.int64)
        for p in range(bits):
            # Byte 16 L + 2 v + q of a block of 16 x 32: row 4 L + 2 q + half, column 4 v + bit.
            plane = np.unpackbits(tensor(f"{layer}/plane{p}"), axis=-1, bitorder="little")
            down, across = plane.shape[:2]
            plane = plane.reshape(down, across, 4, 8, 2, 2, 4).transpose(0, 2, 4, 5, 1, 3, 6)
            code = 2 * code + plane.reshape(down * 16, across * 32)
        book, codes = tensor(layer + "/codebook"), tensor(layer + "/group_codes")
        q = np.repeat(book[min(bits, len(book)) - 1][codes].astype(np.float64), group, 1)[:, :cols]
        w = tensor(layer + "/row_scale")[:, None] * q * 2.0**-bits * (2 * code[:rows, :cols] - (2**bits - 1))
        if given.get("outliers"):
            w.reshape(-1)[tensor(layer + "/outlier_places")] = tensor(layer + "/outlier_values")
        if given.get("column_order") == b"channel_blocks":
            taps = int(np.prod(given["kernel_shape"]))
            order = [c * taps + t for first in range(0, cols // taps, 16) for t in range(taps)
                     for c in range(first, min(first + 16, cols // taps))]
            turned = np.empty_like(w)
            turned[:, order] = w
            w = turned
        return w, group, given.get("outliers", 0)

    found = []

    def visit(graph):
        for node in graph.node:
            if node.op_type in ("BitLinear", "BitConv"):
                found.append(decode(node))
            for a in node.attribute:
                if a.type == onnx.AttributeProto.GRAPH:
                    visit(a.g)

    visit(onnx.load(path, load_external_data=False).graph)
    return found


def unbalanced(wide: np.ndarray, narrow: np.ndarray, w: np.ndarray) -> np.ndarray | None:
    """`narrow` without the powers of two of rows and columns by which `wide`, many bits of the same, differs from w."""
    if wide.shape != w.shape:
        return None
    norm = lambda x, axis: np.sqrt((x * x).sum(axis)) + 1e-30
    columns = 2 ** np.round(np.log2(norm(wide, 0) / norm(w, 0)))
    for _ in range(3):
        rows = norm(wide / columns, 1) / norm(w, 1)
        columns = 2 ** np.round(np.log2(norm(wide / rows[:, None], 0) / norm(w, 0)))
    back = wide / rows[:, None] / columns
    if np.linalg.norm(back - w) > 0.05 * np.linalg.norm(w):
        return None
    return narrow / rows[:, None] / columns


def asymmetric(w: np.ndarray, group: int, bits: int) -> np.ndarray:
    rows, cols = w.shape
    padded = np.zeros((rows, -(-cols // group) * group))
    padded[:, :cols] = w
    groups = padded.reshape(rows, -1, group)
    low, high = np.minimum(groups.min(2), 0)[..., None], np.maximum(groups.max(2), 0)[..., None]
    step = (high - low) / (2**bits - 1)
    step[step == 0] = 1
    zero = np.round(-low / step)
    code = np.clip(np.round(groups / step) + zero, 0, 2**bits - 1)
    return ((code - zero) * step).reshape(rows, -1)[:, :cols]


def decibels(w: np.ndarray, other: np.ndarray, x: np.ndarray) -> float:
    return 10 * np.log10(((x @ w.T) ** 2).sum() / max(((x @ (w - other).T) ** 2).sum(), 1e-300))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--dir", required=True, type=pathlib.Path)
    parser.add_argument("--pbatch", default="build/release/cli/pbatch")
    parser.add_argument("--bits", type=int, default=4)
    parser.add_argument("--only", help="names of networks, with commas")
    parser.add_argument("--try", dest="tried", action="append", help="options of 'pbatch quantize'; may be given again")
    args = parser.parse_args()
    tried = args.tried or ["--row-sums 0", "--row-sums 0.03", "--row-sums 0.03 --outliers 0.001"]
    table, weights, outliers = [], 0, np.zeros(len(tried), int)
    print(f"| network | layer | rows x cols | asymmetric | {' | '.join(tried)} | outliers |\n|{'---|' * (5 + len(tried))}")
    for spec in json.loads((HERE.parent / "networks/networks.json").read_text()):
        if args.only and spec["name"] not in args.only.split(","):
            continue
        try:
            path = take_out(fetch(spec["package"], args.dir), spec["file"])
            random = np.random.default_rng(7)
            layers = products(path, {name: make_input(s, random) for name, s in spec["inputs"].items()})
            made = []
            with tempfile.TemporaryDirectory() as folder:
                for options in tried:
                    out = pathlib.Path(folder) / "q.onnx"
                    subprocess.run([args.pbatch, "quantize", path, "-o", out, "--no-advice", "--threads", "2",
                                    *options.split()], check=True, capture_output=True)
                    made.append(list(zip(bit_matrices(out, 8), bit_matrices(out, args.bits))))
        except Exception as error:
            print(f"{spec['name']}: {type(error).__name__}: {str(error)[:120]}", file=sys.stderr)
            continue
        for name, (w, x) in layers.items():
            row = []
            for matrices in made:
                for (wide, group, count), (narrow, _, _) in matrices:
                    back = unbalanced(wide, narrow, w)
                    if back is not None:
                        row.append((decibels(w, back, x), group, count))
                        break
            if len(row) < len(tried):
                continue
            reference = decibels(w, asymmetric(w, row[0][1], args.bits), x)
            weights += w.size
            outliers += [count for _, _, count in row]
            table.append([db - reference for db, _, _ in row])
            if min(table[-1]) < -2 or row[-1][2]:
                print(f"| {spec['name']} | {name[-40:]} | {w.shape[0]} x {w.shape[1]} | {reference:.1f} | "
                      f"{' | '.join(f'{d:+.1f}' for d in table[-1])} | {row[-1][2]} |", flush=True)
    for options, d, count in zip(tried, np.array(table).T, outliers):
        print(f"\n{options}: of {len(d)} layers {(d < -2).sum()} are more than 2 dB below the asymmetric code, "
              f"{(d < -3).sum()} more than 3, {(d < -6).sum()} more than 6; mean {d.mean():+.2f} dB, worst {d.min():+.2f}; "
              f"outliers take {64 * count / max(weights, 1):.3f} bits a weight")


if __name__ == "__main__":
    main()
