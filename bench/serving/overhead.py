#!/usr/bin/env python3
"""What `pbatch serve` adds to a deployment of Ray Serve that echoes its input, on one proxy.

    bench/serving/overhead.py [--requests 2000] [--json FILE]

One client on one connection sends the same binary request in turns to the echo and to a small network, and
measures the network alone in this process. Printed are medians in milliseconds; the overhead is what the
network's answer takes beyond the echo's and its run. Needs the package pbatch with the extra serve, and onnx.
"""

import argparse
import http.client
import json
import os
import platform
import statistics
import tempfile
import time

import numpy as np
import onnx
import ray
from ray import serve

import pbatch
from lstm import network
from pbatch.serve._config import config_of
from pbatch.serve._main import start
from peers import Echo
from wire import free_port, request_of


def asked(connection, path, body, headers):
    """Milliseconds, and the body of the answer."""
    begin = time.perf_counter()
    connection.request("POST", path, body, headers)
    answer = connection.getresponse()
    said = answer.read()
    taken = 1000 * (time.perf_counter() - begin)
    if answer.status != 200:
        raise SystemExit(f"{path}: {answer.status} {said!r}")
    return taken, said


def spread(times):
    return {"p50_ms": round(statistics.median(times), 3), "p90_ms": round(np.quantile(times, 0.9), 3),
            "least_ms": round(min(times), 3)}  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--json", metavar="FILE")
    args = parser.parse_args()
    folder = tempfile.mkdtemp()
    path = f"{folder}/net.onnx"
    onnx.save(network(64, 64, 1), path)
    pbatch.quantize(path, path.replace(".onnx", ".pbatch.onnx"))
    port = free_port()
    model = {"name": "net", "path": path.replace(".onnx", ".pbatch.onnx")}
    start(config_of([model], {"port": port, "grpc_port": 0, "threads": 1}))
    serve.run(Echo.bind(), name="echo", route_prefix="/echo")
    x = np.random.default_rng(1).standard_normal((1, 1, 64)).astype(np.float32)
    body, headers = request_of({"x": x})
    connection = http.client.HTTPConnection("127.0.0.1", port)
    times = {"echo": [], "served": [], "run": []}
    with pbatch.InferenceSession(model["path"], threads=1) as session:
        for i in range(args.requests + 200):
            begin = time.perf_counter()
            session.run(None, {"x": x}, bits=8)
            run = 1000 * (time.perf_counter() - begin)
            echo, same = asked(connection, "/echo", body, headers)
            served, _ = asked(connection, "/v2/models/net/infer", body, headers)
            assert same == body
            if i >= 200:  # what comes first is slower
                for name, value in (("echo", echo), ("served", served), ("run", run)):
                    times[name].append(value)
    said = {name: spread(values) for name, values in times.items()}
    said["overhead_ms"] = round(
        said["served"]["p50_ms"] - said["echo"]["p50_ms"] - said["run"]["p50_ms"], 3
    )
    said.update(requests=args.requests, cpus=os.cpu_count(), machine=platform.machine(),
                load=os.getloadavg(), ray=ray.__version__, pbatch=pbatch.__version__,
                python=platform.python_version(),
                date=time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime()))  # fmt: skip
    print(json.dumps(said, indent=2))
    if args.json:
        with open(args.json, "w") as file:
            json.dump(said, file, indent=2)
    serve.shutdown()
    ray.shutdown()


if __name__ == "__main__":
    main()
