#!/usr/bin/env python3
"""Public networks in the plug-in: beside ONNX Runtime's float at 16 bits, beside the library at 4.

    python ort/bench/public_networks.py --dir DIR [--only minilm_l3_16,silero]

Fetches the packages of bench/networks/networks.json into DIR, as bench/networks/measure.py does, and prints
a row of a Markdown table for each network: the nodes that run in the plug-in of a session of 16 and of one of 4
bits, of all; the error at 16 weight and activation bits against ONNX Runtime's float; the difference at 4 and 8
bits from the library alone. That differs where ONNX Runtime computes what a layer reads, by a rounding, and
where it keeps a convolution in float. Errors are relative L2 of the worst output; "same bits" is none at all.
Status 1: an error at 16 bits above 1e-3.
Needs numpy, onnx, onnxruntime, precisionbatching and onnxruntime-ep-pbatch.
"""

import argparse
import json
import pathlib
import sys

import numpy as np
import onnxruntime

import pbatch
import pbatch.ort

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench" / "networks"))
import measure  # noqa: E402
from measure import pages  # noqa: E402

LIMIT = 1e-3


def open_session(path, **settings):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    return onnxruntime.InferenceSession(str(path), pbatch.ort.register(options, **settings))


def nodes_here(session):
    """How many nodes run in the plug-in, of how many."""
    here = total = 0
    for part in session.get_provider_graph_assignment_info():
        count = len(part.get_nodes())
        total += count
        here += count if part.ep_name == "PbatchExecutionProvider" else 0
    return f"{here} of {total}"


def named(session, values):
    return dict(zip([port.name for port in session.get_outputs()], values, strict=True))


def beside_the_library(inside, path, feeds):
    """How far apart the two are at 4 and 8 bits."""
    alone = pbatch.InferenceSession(pbatch.quantize(path, scheme="plain").model, threads=1)
    exact = pbatch.RunOptions()
    exact.add_run_config_entry("pbatch.exact", "1")
    given = named(inside, inside.run(None, feeds))
    wanted = named(alone, alone.run(None, feeds, exact, bits=4, abits=8))
    if all(np.array_equal(given[name], wanted[name]) for name in wanted):
        return "same bits"
    return f"{measure.relative_error(wanted, given):.1e}"


def row(network, folder):
    path = measure.take_out(measure.fetch(network["package"], folder), network["file"])
    random = np.random.default_rng(7)
    feeds = {name: measure.make_input(spec, random) for name, spec in network["inputs"].items()}
    wanted = measure.Baseline(path, feeds).outputs
    session = open_session(path, bits=16, abits=16)
    error = measure.relative_error(wanted, named(session, session.run(None, feeds)))
    few = open_session(path, bits=4, abits=8)
    try:
        apart = beside_the_library(few, path, feeds)
    except pbatch.Error as problem:  # an operator that only ONNX Runtime has
        apart = f"the library alone: {problem.message}"
    nodes = f"{nodes_here(session)}, {nodes_here(few)}"
    return error, [network["name"], network["kind"], nodes, f"{error:.1e}", apart]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--dir", type=pathlib.Path, required=True, help="where packages are kept")
    parser.add_argument("--only", default="", help="names, separated by commas")
    chosen = parser.parse_args()
    wanted = set(filter(None, chosen.only.split(",")))
    networks = json.loads((ROOT / "bench/networks/networks.json").read_text())
    print(f"pbatch {pbatch.__version__}, {pbatch.active_isa()}, onnxruntime {onnxruntime.__version__}\n")
    print(pages.head(["network", "kind", "nodes in the plug-in, w16 and w4", "w16/A16 from float",
                      "w4/A8 from the library"]))
    worst = 0.0
    for network in networks:
        if wanted and network["name"] not in wanted:
            continue
        error, cells = row(network, chosen.dir)
        worst = max(worst, error)
        print(pages.line(cells), flush=True)
    sys.exit(worst > LIMIT)


if __name__ == "__main__":
    main()
