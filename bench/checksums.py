#!/usr/bin/env python3
"""Checksums of what networks give at every precision: a change that should keep all bits is compared with what was before.

    bench/checksums.py --pbatch build/release/cli/pbatch --out new.tsv NET.onnx ...
    bench/checksums.py --compare old.tsv new.tsv
    bench/checksums.py --against OLD/pbatch NET.onnx ...

Every float network is quantized, with 12 planes, and both run on inputs made from a seed: a line for each network,
weight bits, activation bits and instruction set. Float runs use one library (oneDNN), so that no choice by time
comes in. With --against, models that the other pbatch made run in both, and printed is how far the answers are apart
(relative L2 of the worst output; 0: the same bits). Needs Python 3.9, numpy and onnx.
"""
import argparse
import hashlib
import os
import subprocess
import sys
import tempfile

import numpy as np
import onnx

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "scripts"))
import pages  # noqa: E402

TYPES = {1: np.float32, 6: np.int32, 7: np.int64, 9: np.bool_, 10: np.float16}


def named_shape(text):
    name, dims = text.split("=")
    return name, [int(d) for d in dims.split(",")]


def make_inputs(path, folder, shapes):
    """A .npy file for every input: free dimensions 1 unless `shapes` has the input; small numbers."""
    model = onnx.load(path, load_external_data=False)
    constants = {i.name for i in model.graph.initializer}
    rng = np.random.default_rng(1)
    args = []
    for port in model.graph.input:
        if port.name in constants:
            continue
        tensor = port.type.tensor_type
        shape = shapes.get(port.name) or [d.dim_value or 1 for d in tensor.shape.dim]
        dtype = TYPES[tensor.elem_type]
        if port.name == "sr":
            values = np.full(shape, 16000)
        elif np.issubdtype(dtype, np.floating):
            values = rng.standard_normal(shape) * 0.5
        else:
            values = rng.integers(0, 2, shape)
        file = os.path.join(folder, f"in{len(args)}.npy")
        np.save(file, np.asarray(values).astype(dtype))
        args += ["--input", f"{port.name}={file}"]
    return args, [o.name for o in model.graph.output]


def call(command, environment):
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    return done.returncode == 0, done.stderr.strip().splitlines()[-1:] or [""]


def answers(pbatch, path, inputs, outputs, bits, isa, folder, more=()):
    """The outputs as arrays, or the line that says why there are none."""
    environment = dict(os.environ, PBATCH_KERNEL_COSTS="builtin")
    if isa:
        environment["PBATCH_ISA"] = isa
    files = [os.path.join(folder, f"out{i}.npy") for i in range(len(outputs))]
    args = [pbatch, "run", path, "--threads", "2", *more, *inputs]
    args += ["--bits", bits] if bits else []
    for name, file in zip(outputs, files):
        args += ["--output", f"{name}={file}"]
    ok, error = call(args, environment)
    return [np.load(file) for file in files] if ok else error[0]


def checksum(arrays):
    if isinstance(arrays, str):
        return arrays
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(array.tobytes())
    return digest.hexdigest()[:16]


def apart(old, new):
    if isinstance(old, str) or isinstance(new, str):
        return "none"
    if all(a.tobytes() == b.tobytes() for a, b in zip(old, new)):
        return "0"
    norm = lambda a: float(np.linalg.norm(a.astype(np.float64)))
    return f"{max(norm(a - b) / max(norm(a), 1e-30) for a, b in zip(old, new)):.0e}"


def compare_programs(options):
    widths = ["2,8", "4,8", "8,8", "4,16", "8,16", "4,32", "12,32"]
    print(pages.head(["network", *(w.replace(",", "/") for w in widths)]))
    for path in options.networks:
        with tempfile.TemporaryDirectory() as folder:
            name = os.path.splitext(os.path.basename(path))[0]
            inputs, outputs = make_inputs(path, folder, dict(options.shape))
            model = os.path.join(folder, "model.onnx")
            ok, error = call([options.against, "quantize", path, "-o", model, "--planes", "12"], os.environ)
            if not ok:
                sys.exit(error[0])
            of = lambda pbatch, bits, more: answers(pbatch, model, inputs, outputs, bits, "", folder, more)
            more = ["--exact"] if options.exact else []
            print(pages.line([name, *(apart(of(options.against, w, []), of(options.pbatch, w, more)) for w in widths)]),
                  flush=True)
    return 0


def measure(options):
    with tempfile.TemporaryDirectory() as folder, open(options.out, "w") as out:
        for path in options.networks:
            name = os.path.splitext(os.path.basename(path))[0]
            inputs, outputs = make_inputs(path, folder, dict(options.shape))
            model = os.path.join(folder, name + ".pbatch.onnx")
            ok, error = call([options.quantizer or options.pbatch, "quantize", path, "-o", model, "--planes", "12"], os.environ)
            for bits in [f"{w},{a}" for w in options.bits for a in (8, 16, 32)] if ok else []:
                for isa in options.isas:
                    line = checksum(answers(options.pbatch, model, inputs, outputs, bits, isa, folder,
                                            ["--exact"] if options.exact else []))
                    print(name, bits, isa, line, sep="\t", file=out, flush=True)
            if not ok:
                print(name, "-", "", error[0], sep="\t", file=out, flush=True)


def compare(old, new):
    read = lambda file: {tuple(l.split("\t")[:3]): l.split("\t")[3].strip() for l in open(file)}
    before, after = read(old), read(new)
    changed = sorted(k for k in before.keys() | after.keys() if before.get(k) != after.get(k))
    for key in changed:
        print(*key, before.get(key, "nothing"), "->", after.get(key, "nothing"))
    print(f"{len(before.keys() & after.keys()) - len(changed)} of {len(before)} checksums are the same")
    return 1 if changed else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("networks", nargs="*")
    parser.add_argument("--pbatch", default="build/release/cli/pbatch")
    parser.add_argument("--quantizer", help="the pbatch that makes the models; default: --pbatch")
    parser.add_argument("--against", help="another pbatch, with which answers are compared")
    parser.add_argument("--exact", action="store_true", help="bit-layers in every layer (of pbatch run --exact)")
    parser.add_argument("--out", default="checksums.tsv")
    parser.add_argument("--bits", type=lambda t: t.split(","), default=["1", "2", "3", "4", "5", "8", "12"])
    parser.add_argument("--isas", type=lambda t: t.split(","), default=["", "avx2", "generic"])
    parser.add_argument("--shape", type=named_shape, action="append", default=[], metavar="NAME=1,576")
    parser.add_argument("--compare", nargs=2, metavar=("OLD", "NEW"))
    options = parser.parse_args()
    if options.compare:
        return compare(*options.compare)
    return compare_programs(options) if options.against else measure(options)


sys.exit(main())
