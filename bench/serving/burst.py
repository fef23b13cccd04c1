#!/usr/bin/env python3
"""A burst on a server: bits given up by the controller, beside a server of one fixed width and a peer.

    bench/serving/burst.py MODEL --json FILE [--int8 FLOAT.onnx] [--seconds 60] [--image PLOT]

Starts `pbatch serve` with floor 1 on this machine, measures closed-loop what the floor and the ceiling
serve, and then sends Poisson arrivals open-loop: a calm part at 0.3 of what the ceiling serves, a burst of
--seconds at 0.8 of what the floor serves, a calm part again. The same arrivals go to a server whose floor
is the ceiling, and with --int8 to ONNX Runtime's dynamic int8 of the float network behind the same ingress.
Latency counts from when a request was to be sent. What is still unanswered --patience seconds after the
last arrival is given up and counted. A server that FILE has already is not measured again. Needs the package pbatch with the extra serve, and aiohttp; with
--int8 onnx and onnxruntime.
"""

import argparse
import asyncio
import json
import os
import pathlib
import platform
import signal
import subprocess
import sys
import time

import aiohttp
import numpy as np

import pbatch
from pbatch.serve.simulate import percentile, poisson
from wire import HEAD, free_port, request_of

sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "scripts"))
import pages  # noqa: E402

class Served:
    """A server of its own process, which listens at ``port``."""

    def __init__(self, args, name, command, port):
        self.log = open(f"{args.scratch}/{name}.log", "wb")
        self.process = subprocess.Popen(
            [sys.executable, *command], stdout=self.log, stderr=subprocess.STDOUT
        )
        self.url = f"http://127.0.0.1:{port}"

    async def ready(self, client, body):
        """Returns when it has answered a request."""
        while self.process.poll() is None:
            try:
                if (await ask(client, self.url, body))[0] == 200:
                    return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.5)
        raise SystemExit(f"the server has ended; see {self.log.name}")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()


def serve_widths(args, name, floor, ceiling):
    port = free_port()
    config = {"name": "net", "path": os.path.abspath(args.model), "floor": floor, "abits": args.abits,
              "ceiling": ceiling, "target_ms": args.target_ms, "max_batch": args.max_batch}
    path = f"{args.scratch}/{name}.toml"
    with open(path, "w") as file:
        file.write(f"port = {port}\ngrpc_port = 0\nthreads = {args.threads}\n[[models]]\n")
        file.writelines(f"{k} = {json.dumps(v)}\n" for k, v in config.items())
        if args.shape:
            shapes = ", ".join(f"{n} = [{d}]" for n, d in args.shape)
            file.write(f"shapes = {{ {shapes} }}\n")
    return Served(args, name, ["-m", "pbatch", "serve", "--config", path], port)


def serve_int8(args):
    port = free_port()
    peers = os.path.join(os.path.dirname(os.path.abspath(__file__)), "peers.py")
    command = [peers, args.int8, "--port", str(port), "--threads", str(args.threads),
               "--max-batch", str(args.max_batch)]
    return Served(args, "int8", command, port)


def inputs_of(args):
    session = pbatch.InferenceSession(args.model, threads=1)
    shapes = {n: [int(v) for v in d.split(",")] for n, d in args.shape}
    arrays, random_numbers = {}, np.random.default_rng(1)
    for port in session.get_inputs():
        if port.optional:
            continue
        dims = shapes.get(port.name) or [d or 1 for d in port.shape]
        dtype = np.dtype(port.dtype)
        arrays[port.name] = (random_numbers.standard_normal(dims).astype(dtype) if dtype.kind == "f"
                             else np.zeros(dims, dtype))
    return arrays


async def ask(client, url, body):
    """Status and the answer's parameters."""
    async with client.post(f"{url}/v2/models/net/infer", data=body[0],
                           headers=body[1]) as answer:
        said = await answer.read()
        if answer.status != 200:
            return answer.status, {"error": said.decode(errors="replace")}
        return 200, json.loads(said[: int(answer.headers[HEAD])]).get("parameters", {})


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


async def open_loop(client, url, body, arrivals, patience):
    """[(arrival, latency, status, bits, wait)] in the order of arrival; status 0: given up."""
    begin, rows = time.monotonic() + 0.5, []

    async def one(at):
        status, said = 0, {}
        try:
            status, said = await ask(client, url, body)
        except (asyncio.CancelledError, aiohttp.ClientError):
            pass
        rows.append((at, time.monotonic() - begin - at, status, said.get("bits"),
                     said.get("wait_ms")))

    tasks = []
    for at in arrivals:
        await asyncio.sleep(max(0.0, begin + at - time.monotonic()))
        tasks.append(asyncio.create_task(one(at)))
    _, late = await asyncio.wait(tasks, timeout=patience)
    for task in late:
        task.cancel()
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


def open_client():
    return aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=None), connector=aiohttp.TCPConnector(limit=0)
    )


async def capacities(args, url):
    """Answers a second at the floor and at the ceiling."""
    async with open_client() as client:
        return [
            await closed_loop(client, url, request_of(inputs_of(args), bits=width), 16 + 2 * args.max_batch,
                              args.closed_seconds)
            for width in (1, args.ceiling)
        ]  # fmt: skip


async def on_server(server, body, arrivals, patience):
    async with open_client() as client:
        return await open_loop(client, server.url, body, arrivals, patience)


async def wait_for(server, body):
    async with open_client() as client:
        await server.ready(client, body)


def servers_of(args):
    """Their names, and what starts them."""
    fixed = f"{args.ceiling} bits"
    servers = {"by the controller": lambda: serve_widths(args, "elastic", 1, args.ceiling),
               fixed: lambda: serve_widths(args, "fixed", args.ceiling, args.ceiling)}
    if args.int8:
        servers["ONNX Runtime, int8"] = lambda: serve_int8(args)
    return servers


def measure(args, said):
    """Adds to ``said`` one server that it lacks; whether all are there then."""
    plain = request_of(inputs_of(args))
    runs = said.setdefault("rows", {})
    name, start = next((n, s) for n, s in servers_of(args).items() if n not in runs)
    machine = {"cpu": platform.processor() or platform.machine(), "cpus": os.cpu_count(),
               "isa": pbatch.active_isa(), "load_before": os.getloadavg(),
               "pbatch_version": pbatch.__version__, "command": " ".join(sys.argv),
               "date": time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())}
    server = start()
    try:
        asyncio.run(wait_for(server, plain))
        if "served_per_second" not in said:
            low, high = asyncio.run(capacities(args, server.url))
            said["served_per_second"] = {1: low, args.ceiling: high}
            said.update(calm_per_second=0.3 * high, burst_per_second=0.8 * low,
                        burst_over_ceiling=0.8 * low / high)
        calm, burst = said["calm_per_second"], said["burst_per_second"]
        begin, end = args.calm_seconds, args.calm_seconds + args.seconds
        arrivals = poisson(lambda t: burst if begin <= t < end else calm, max(calm, burst),
                           end + args.after_seconds, args.seed)
        runs[name] = asyncio.run(on_server(server, plain, arrivals, args.patience))
    finally:
        server.stop()
    parts = [("before", 2, begin), ("burst", begin, end), ("after", end + 5, end + args.after_seconds)]
    said[name] = {part: summary(runs[name], a, b) for part, a, b in parts}
    said[name].update(machine, load_after=os.getloadavg())
    before, during = (said["by the controller"][p]["p99_ms"] for p in ("before", "burst"))
    said["p99_burst_over_before"] = during / before
    return all(n in runs for n in servers_of(args))


def draw(path, runs, args):
    figure, (top, bottom) = pages.pyplot().subplots(2, 1, sharex=True, figsize=(9, 5.4))
    for (name, rows), colour in zip(runs.items(), ("#0b5fa5", "#b5482f", "#8a8a8a"), strict=False):
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
        pages.quiet(axes)
        axes.axvspan(args.calm_seconds, args.calm_seconds + args.seconds, color="#f1f1f1", zorder=0)
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--json", required=True, metavar="FILE")
    parser.add_argument("--image", metavar="PLOT")
    parser.add_argument("--one", action="store_true", help="one server that FILE lacks, and no more")
    parser.add_argument("--int8", metavar="FLOAT.onnx", help="the float network, for the peer")
    parser.add_argument("--seconds", type=float, default=60, help="of the burst")
    parser.add_argument("--calm-seconds", type=float, default=40, help="before it")
    parser.add_argument("--after-seconds", type=float, default=20, help="after it, calm again")
    parser.add_argument("--closed-seconds", type=float, default=10)
    parser.add_argument("--ceiling", type=int, default=8)
    parser.add_argument("--target-ms", type=float, default=100)
    parser.add_argument("--max-batch", type=int, default=16)
    parser.add_argument("--abits", type=int, default=8)
    parser.add_argument("--patience", type=float, default=60, help="seconds after the last arrival")
    parser.add_argument("--threads", type=int, default=1, help="of a run; the server needs the others")
    parser.add_argument("--shape", action="append", default=[], metavar="NAME=D,D",
                        type=lambda text: tuple(text.split("=")))
    parser.add_argument("--scratch", default="/tmp")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    said = {}
    if os.path.exists(args.json):
        with open(args.json) as file:
            said = json.load(file)
    done = all(n in said.get("rows", ()) for n in servers_of(args))
    while not done:
        done = measure(args, said)
        with open(args.json, "w") as file:
            json.dump(said, file)
        if args.one:
            break
    print(json.dumps({k: v for k, v in said.items() if k != "rows"}, indent=2))
    if args.image and said.get("rows"):
        draw(args.image, said["rows"], args)


if __name__ == "__main__":
    main()
