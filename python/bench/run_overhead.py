"""run_overhead.py [--seconds S]: what a run through Python costs more than one through C++.

A policy of two layers of 64 x 64 at 4 weight bits and 8 activation bits, on one thread. Rounds of
both ways alternate in one process; the medians of their rounds are compared. Answers are checked first.
"""

import argparse
import statistics
import time

import numpy as np
from onnx import TensorProto, helper, numpy_helper

import pbatch

ROUND = 2000


def policy():
    rng = np.random.default_rng(0)
    weights = {f"w{i}": rng.standard_normal((64, 64)).astype(np.float32) for i in range(2)}
    nodes = [
        helper.make_node("MatMul", ["x", "w0"], ["h"]),
        helper.make_node("Relu", ["h"], ["r"]),
        helper.make_node("MatMul", ["r", "w1"], ["y"]),
    ]
    ports = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 64]) for n in "xy"]
    constants = [numpy_helper.from_array(value, name) for name, value in weights.items()]
    graph = helper.make_graph(nodes, "policy", ports[:1], ports[1:], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def check(session, feed, wanted, out):
    w0, w1 = (numpy_helper.to_array(w).astype(np.float64) for w in policy().graph.initializer)
    exact = np.maximum(feed["x"] @ w0, 0) @ w1
    for bits, bound in ((4, 0.2), (8, 0.02)):
        y = session.run(None, feed, bits=bits, abits=8)[0]
        assert np.linalg.norm(y - exact) < bound * np.linalg.norm(exact), bits
    session.run(None, feed, bits=4, abits=8, out=out)
    np.testing.assert_array_equal(out["y"], wanted)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5)
    seconds = parser.parse_args().seconds
    session = pbatch.InferenceSession(pbatch.quantize(policy()).model, threads=1)
    assert len(session.layers) == 2
    feed = {"x": np.random.default_rng(1).standard_normal((1, 64)).astype(np.float32)}
    wanted = session.run(None, feed, bits=4, abits=8)[0]
    out = {"y": np.empty_like(wanted)}
    check(session, feed, wanted, out)

    def through_python():
        start = time.perf_counter()
        for _ in range(ROUND):
            session.run(None, feed, bits=4, abits=8)
        return time.perf_counter() - start

    def into_an_array():
        start = time.perf_counter()
        for _ in range(ROUND):
            session.run(None, feed, bits=4, abits=8, out=out)
        return time.perf_counter() - start

    ways = {
        "C++": lambda: session._time_runs(feed, 4, 8, ROUND),
        "Python": through_python,
        "Python, out=": into_an_array,
    }
    times = {name: [] for name in ways}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times["C++"]) < 5:
        for name, way in ways.items():
            times[name].append(way() / ROUND * 1e6)
    medians = {name: statistics.median(values) for name, values in times.items()}
    for name, value in medians.items():
        print(f"{name:14} {value:7.2f} µs a run, {value - medians['C++']:+.2f} µs")


if __name__ == "__main__":
    main()
