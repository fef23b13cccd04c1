#!/usr/bin/env python3
"""Draws time against weight bits, with the peers and the machine's ceilings.

    bench/plot.py OUT_DIR IMAGE [--gemv 4096x4096] [--threads 1]

The ending of IMAGE tells its format: .png or .svg. OUT_DIR holds what bench/run_kernels.sh
leaves; the panels are its peers-hot.json and peers-cold.json, or hot.json and cold.json. Needs
matplotlib (PyPI or python3-matplotlib).
"""

import argparse
import pathlib
import sys

import results

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "scripts"))
import pages  # noqa: E402
from pages import FAINT, INK  # noqa: E402

try:
    pyplot = pages.pyplot()
except ImportError:
    sys.exit("plot.py: matplotlib is missing; install it (PyPI: matplotlib, Debian: "
             "python3-matplotlib)")

OURS = {8: ("#0b5fa5", "o"), 16: ("#2f9e8f", "s"), 32: ("#8ac26b", "^")}
PEERS = {"onednn_int8": ("oneDNN int8, integers only", "#b5482f", "X"),
         "onednn_int8_dynamic": ("oneDNN int8", "#b5482f", "D"),
         "ort_dynamic_int8": ("ONNX Runtime int8", "#7a4fa3", "D"),
         "ort_nbits2": ("ONNX Runtime MatMulNBits", "#7a4fa3", "P"),
         "ort_nbits4": (None, "#7a4fa3", "P"),
         "ort_nbits8": (None, "#7a4fa3", "P")}
FLOAT = {"onednn_f32": "oneDNN", "openblas_f32": "OpenBLAS"}


def draw_ours(axes, document, place):
    for abits, (colour, marker) in OURS.items():
        rows = sorted(results.find(document, ours=True, activation_bits=abits, **place),
                      key=lambda r: r["weight_bits"])
        if rows:
            axes.plot([r["weight_bits"] for r in rows], [r["median_us"] for r in rows],
                      color=colour, marker=marker, markersize=6, linewidth=1.8, zorder=4,
                      label=f"pbatch, {abits}-bit activations")


def draw_peers(axes, document, place):
    for kernel, (label, colour, marker) in PEERS.items():
        rows = results.find(document, kernel=kernel, **place)
        if not rows:
            continue
        row = rows[0]
        # Three peers share the place of 8 bits; a little aside, each can be seen.
        aside = {"onednn_int8": 0.12, "onednn_int8_dynamic": 0.24, "ort_dynamic_int8": -0.24,
                 "ort_nbits8": -0.12}.get(kernel, 0)
        axes.plot([row["weight_bits"] + aside], [row["median_us"]], linestyle="none",
                  color=colour, marker=marker, markersize=8, markeredgecolor="white", zorder=5,
                  label=label)


def draw_ceilings(axes, document, place, shape):
    """Reading alone, width by width, and multiplying alone."""
    floor = {}
    for row in results.find(document, ours=True, **place):
        if row.get("share_of_read"):
            read = results.ceiling(document, "read", shape, place["threads"],
                                   round(row["gbps"] * row["median_us"] * 1e3))
            if read is not None:
                floor[row["weight_bits"]] = row["gbps"] * row["median_us"] / read["gbps"]
    if floor:
        bits = sorted(floor)
        axes.fill_between(bits, [floor[b] for b in bits], color="#efefef", zorder=1)
        axes.plot(bits, [floor[b] for b in bits], color=INK, linewidth=1.2, linestyle="--", zorder=2,
                  label="reading the planes and scales alone")
    multiply = [c for c in document["ceilings"] if not c["bytes"] and
                (c["rows"], c["cols"], c["threads"]) == (*shape, place["threads"])]
    for c in multiply:
        us = shape[0] * shape[1] / c["gmacs"] / 1e3
        axes.axhline(us, color=INK, linewidth=1.2, linestyle=":", zorder=2,
                     label=f"{c['kind']} alone, 8-bit activations")


def draw_panel(axes, document, shape, threads):
    place = {"rows": shape[0], "cols": shape[1], "threads": threads, "batch": 1}
    draw_ceilings(axes, document, place, shape)
    draw_ours(axes, document, place)
    draw_peers(axes, document, place)
    top = max((r["median_us"] for r in document["results"]
               if r["weight_bits"] != 32 and all(r[k] == v for k, v in place.items())), default=1)
    axes.set_ylim(0, top * 1.12)
    axes.set_xlim(0.6, 8.6)
    axes.set_xticks(range(1, 9))
    axes.set_xlabel("bits a weight", color=INK)
    axes.set_ylabel("microseconds", color=INK)
    cold = document["results"][0]["cold"]
    axes.set_title("cold: weights from memory" if cold else "hot: weights in the caches",
                   loc="left", color=INK, fontsize=11)
    floats = [f"{name} {r['median_us'] / 1e3:.1f} ms" for kernel, name in FLOAT.items()
              for r in results.find(document, kernel=kernel, **place)]
    if floats:
        axes.text(0.02, 0.97, "32-bit floats, off the scale: " + ", ".join(floats), ha="left",
                  va="top", transform=axes.transAxes, fontsize=8.5, color="#666666")
    axes.grid(axis="y", color=FAINT, linewidth=0.7, zorder=0)
    pages.quiet(axes)


def pick(documents):
    """The hot and the cold run with the most peers."""
    panels = []
    for name in ("hot", "cold"):
        for candidate in (f"peers-{name}", name):
            if candidate in documents:
                panels.append(documents[candidate])
                break
    if not panels:
        raise results.BadResults("none of peers-hot, peers-cold, hot, cold .json is there")
    return panels


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("folder", metavar="OUT_DIR")
    parser.add_argument("image", type=pathlib.Path, metavar="IMAGE")
    parser.add_argument("--gemv", default="4096x4096", metavar="ROWSxCOLS")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    shape = tuple(int(side) for side in options.gemv.split("x"))
    try:
        panels = pick(results.read_folder(options.folder))
    except results.BadResults as error:
        sys.exit(f"plot.py: {error}")
    figure, axes = pyplot.subplots(1, len(panels), figsize=(5.4 * len(panels), 4.9), squeeze=False)
    labels = {}
    for place, document in zip(axes[0], panels):
        draw_panel(place, document, shape, options.threads)
        for handle, label in zip(*place.get_legend_handles_labels()):
            labels.setdefault(label, handle)
    figure.suptitle(f"One vector times {shape[0]} × {shape[1]}, {options.threads} "
                    f"thread{'s' if options.threads > 1 else ''}: floats in, floats out; medians",
                    x=0.01, y=0.99, ha="left", fontsize=12, color=INK)
    figure.legend(labels.values(), labels.keys(), loc="lower center", ncol=3, frameon=False,
                  fontsize=9, bbox_to_anchor=(0.5, 0.035))
    figure.text(0.01, 0.008, results.conditions(panels[0]), fontsize=7.5, color="#666666")
    figure.tight_layout(rect=(0, 0.2, 1, 0.97), w_pad=2)
    pages.save(figure, options.image, options.image.suffix[1:])


if __name__ == "__main__":
    main()
