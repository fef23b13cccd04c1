#!/usr/bin/env python3
"""A burst on a server: bits given up by the controller, beside a server of one fixed width.

    bench/serving/burst.py MODEL --json FILE [--seconds 60] [--image PLOT] [--shape x=1,32]

Starts `pbatch serve` with floor 1 on this machine, measures closed-loop what the floor and the ceiling
serve, and then sends Poisson arrivals open-loop: a calm part at 0.3 of what the ceiling serves, a burst of
--seconds at 0.8 of what the floor serves, a calm part again. The same arrivals go to a server whose floor
is the ceiling. Latency counts from when a request was to be sent. Needs the package pbatch with the
extra serve, and aiohttp.
"""

import argparse
import asyncio
import json
import os
import platform
import signal
import socket
import subprocess
import sys
import time

import aiohttp
import numpy as np

import pbatch
from pbatch.serve.simulate import percentile, poisson

HEAD = "Inference-Header-Content-Length"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Served:
    """A server of its own process."""

    def __init__(self, args, floor, ceiling):
        self.port = free_port()
        config = {"name": "net", "path": os.path.abspath(args.model), "floor": floor,
                  "ceiling": ceiling, "target_ms": args.target_ms, "max_batch": args.max_batch}
        self.path = f"{args.scratch}/serve-{self.port}.toml"
        with open(self.path, "w") as file:
            file.write(f"port = {self.port}\ngrpc_port = 0\nthreads = {args.threads}\n[[models]]\n")
            file.writelines(f"{k} = {json.dumps(v)}\n" for k, v in config.items())
            if args.shape:
                shapes = ", ".join(f'{n} = [{d}]' for n, d in args.shape)
                file.write(f"shapes = {{ {shapes} }}\n")
        self.log = open(self.path + ".log", "wb")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "pbatch", "serve", "--config", self.path],
            stdout=self.log, stderr=subprocess.STDOUT,
        )  # fmt: skip
        self.url = f"http://127.0.0.1:{self.port}"

    async def ready(self, client):
        while self.process.poll() is None:
            try:
                async with client.get(self.url + "/v2/health/ready") as answer:
                    if answer.status == 200:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.5)
        raise SystemExit(f"the server has ended; see {self.log.name}")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()


def body_of(args, parameters):
    session = pbatch.InferenceSession(args.model, threads=1)
    shapes = {n: [int(v) for v in d.split(",")] for n, d in args.shape}
    inputs, data, random_numbers = [], [], np.random.default_rng(1)
    for port in session.get_inputs():
        if port.optional:
            continue
        dims = shapes.get(port.name) or [d or 1 for d in port.shape]
        dtype = np.dtype(port.dtype)
        array = (random_numbers.standard_normal(dims).astype(dtype) if dtype.kind == "f"
                 else np.zeros(dims, dtype))
        data.append(array.tobytes())
        inputs.append({"name": port.name, "shape": dims, "parameters": {
            "binary_data_size": len(data[-1])}, "datatype": {"f4": "FP32", "i8": "INT64",
            "i4": "INT32"}[dtype.str[1:]]})
    head = json.dumps({"inputs": inputs, "parameters": {"binary_data_output": True,
                                                        **parameters}}).encode()
    return head + b"".join(data), len(head)


async def ask(client, url, body):
    """Status and the answer's parameters."""
    async with client.post(f"{url}/v2/models/net/infer", data=body[0],
                           headers={HEAD: str(body[1])}) as answer:
        said = await answer.read()
        if answer.status != 200:
            return answer.status, {"error": said.decode(errors="replace")}
        return 200, json.loads(said[: int(answer.headers[HEAD])])["parameters"]


async def closed_loop(client, url, body, clients, seconds):
    """Answers a second of so many clients, each with one request at a time."""
    done, until = 0, time.monotonic() + seconds

    async def one():
        nonlocal done
        while time.monotonic() < until:
            status, said = await ask(client, url, body)
            if status != 200:
                raise SystemExit(said["error"])
            done += 1

    start = time.monotonic()
    await asyncio.gather(*(one() for _ in range(clients)))
    return done / (time.monotonic() - start)


async def open_loop(client, url, body, arrivals):
    """[(arrival, latency, status, bits, wait)] in the order of arrival."""
    begin, rows = time.monotonic() + 0.5, []

    async def one(at):
        status, said = await ask(client, url, body)
        rows.append((at, time.monotonic() - begin - at, status, said.get("bits"),
                     said.get("wait_ms")))

    tasks = []
    for at in arrivals:
        await asyncio.sleep(max(0.0, begin + at - time.monotonic()))
        tasks.append(asyncio.create_task(one(at)))
    await asyncio.gather(*tasks)
    return sorted(rows)


def summary(rows, begin, end):
    part = [r for r in rows if begin <= r[0] < end]
    answered = [r[1] for r in part if r[2] == 200]
    widths = [r[3] for r in part if r[2] == 200]
    return {
        "requests": len(part), "answered": len(answered),
        "p50_ms": 1000 * percentile(answered, 0.5), "p99_ms": 1000 * percentile(answered, 0.99),
        "share_of_width": {w: widths.count(w) / len(widths) for w in sorted(set(widths))},
    }  # fmt: skip


async def measure(args):
    said = {"cpu": platform.processor() or platform.machine(), "cpus": os.cpu_count(),
            "isa": pbatch.active_isa(), "load_before": os.getloadavg(), "threads": args.threads,
            "command": " ".join(sys.argv), "pbatch_version": pbatch.__version__,
            "date": time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())}
    timeout = aiohttp.ClientTimeout(total=None)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(timeout=timeout, connector=connector) as client:
        elastic = Served(args, 1, args.ceiling)
        try:
            await elastic.ready(client)
            for width in (1, args.ceiling):
                body = body_of(args, {"bits": width})
                said[f"served_per_second_at_{width}"] = await closed_loop(
                    client, elastic.url, body, 2 * args.max_batch, args.closed_seconds)
            low, high = said["served_per_second_at_1"], said[f"served_per_second_at_{args.ceiling}"]
            calm, burst = 0.3 * high, 0.8 * low
            said.update(calm_per_second=calm, burst_per_second=burst, burst_over_ceiling=burst / high)
            parts = [("before", 2, args.calm_seconds),
                     ("burst", args.calm_seconds, args.calm_seconds + args.seconds)]
            end = 2 * args.calm_seconds + args.seconds
            parts.append(("after", parts[1][2] + 5, end))
            arrivals = poisson(lambda t: burst if parts[1][1] <= t < parts[1][2] else calm,
                               max(calm, burst), end, args.seed)
            body = body_of(args, {})
            runs = {"by the controller": await open_loop(client, elastic.url, body, arrivals)}
        finally:
            elastic.stop()
        fixed = Served(args, args.ceiling, args.ceiling)
        try:
            await fixed.ready(client)
            runs[f"{args.ceiling} bits"] = await open_loop(client, fixed.url, body, arrivals)
        finally:
            fixed.stop()
    for name, rows in runs.items():
        said[name] = {part: summary(rows, a, b) for part, a, b in parts}
    before, during = (said["by the controller"][p]["p99_ms"] for p in ("before", "burst"))
    said["p99_burst_over_before"] = during / before
    said["load_after"] = os.getloadavg()
    return said, runs


def draw(path, runs, args):
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (top, bottom) = pyplot.subplots(2, 1, sharex=True, figsize=(9, 5.4))
    for (name, rows), colour in zip(runs.items(), ("#0b5fa5", "#b5482f"), strict=True):
        good = [r for r in rows if r[2] == 200]
        bottom.plot([r[0] for r in good], [1000 * r[1] for r in good], ".", markersize=1.5,
                    color=colour, label=name, rasterized=True)
        top.plot([r[0] for r in good], [r[3] for r in good], ".", markersize=2, color=colour)
    top.set_ylabel("width, bits")
    bottom.set_yscale("log")
    bottom.set_ylabel("latency, ms")
    bottom.set_xlabel("seconds")
    bottom.legend(frameon=False, markerscale=6)
    for axes in (top, bottom):
        axes.spines[["top", "right"]].set_visible(False)
        axes.axvspan(args.calm_seconds, args.calm_seconds + args.seconds, color="#f1f1f1", zorder=0)
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--json", required=True, metavar="FILE")
    parser.add_argument("--image", metavar="PLOT")
    parser.add_argument("--seconds", type=float, default=60, help="of the burst")
    parser.add_argument("--calm-seconds", type=float, default=30, help="before and after it")
    parser.add_argument("--closed-seconds", type=float, default=10)
    parser.add_argument("--ceiling", type=int, default=8)
    parser.add_argument("--target-ms", type=float, default=150)
    parser.add_argument("--max-batch", type=int, default=16)
    parser.add_argument("--threads", type=int, default=1, help="of a run; the server needs the others")
    parser.add_argument("--shape", action="append", default=[], metavar="NAME=D,D",
                        type=lambda text: tuple(text.split("=")))
    parser.add_argument("--scratch", default="/tmp")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    said, runs = asyncio.run(measure(args))
    with open(args.json, "w") as file:
        json.dump(said, file, indent=2)
    print(json.dumps(said, indent=2))
    if args.image:
        draw(args.image, runs, args)


if __name__ == "__main__":
    main()
