#!/usr/bin/env python3
"""Faults tried on `pbatch serve` under load, on this machine: what was asked, and what came back.

    bench/serving/faults.py [--only replica,node,...] [--seconds 15] [--json FILE]

Clients send requests one after another without a second attempt of their own; every answer is compared bit for
bit with a run of the width that it names. Printed is a table: requests, answers that are right, wrong ones,
errors by status, and what else was looked at. Starts and stops Ray itself. Needs the package pbatch with the
extra serve, and onnx; root for the full disk (a small tmpfs), libfaketime (Debian: faketime) for the clock.
"""

import argparse
import collections
import glob
import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

import numpy as np
import onnx
import psutil

import pbatch
from lstm import network
from wire import HEAD, free_port, request_of

WIDTHS = range(1, 9)
SHAPE = (1, 8, 128)


class Network:
    """A model in files, inputs, and what each width answers."""

    def __init__(self, folder, seed):
        self.path = f"{folder}/net{seed}.pbatch.onnx"
        onnx.save(network(256, SHAPE[2], SHAPE[1], seed), f"{folder}/net{seed}.onnx")
        pbatch.quantize(f"{folder}/net{seed}.onnx", self.path)
        random = np.random.default_rng(5)
        self.inputs = [random.standard_normal(SHAPE).astype(np.float32) for _ in range(8)]
        options = pbatch.RunOptions()
        options.add_run_config_entry("pbatch.exact", "1")
        with pbatch.InferenceSession(self.path, threads=1) as session:
            self.answers = [
                {b: session.run(None, {"x": x}, options, bits=b, abits=16)[0].tobytes() for b in WIDTHS}
                for x in self.inputs
            ]

    @property
    def data(self):
        return self.path.replace(".onnx", ".safetensors")

    def copy_to(self, path):
        for suffix in ("safetensors", "onnx"):
            target = path.replace("onnx", suffix)
            shutil.copy(self.path.replace("onnx", suffix), target + ".new")
            os.replace(target + ".new", target)


def ask(connection, x, model="net", **parameters):
    """Status, width and bytes of the answer; the error's line in place of the bytes."""
    connection.request("POST", f"/v2/models/{model}/infer", *request_of({"x": x}, **parameters))
    answer = connection.getresponse()
    said = answer.read()
    if answer.status != 200:
        return answer.status, 0, said.decode(errors="replace")
    size = int(answer.headers[HEAD])
    return 200, json.loads(said[:size])["parameters"]["bits"], said[size:]


class Load:
    """Clients that ask until told to stop. ``right`` says whether an answer may be."""

    def __init__(self, port, networks, clients=6):
        self.counts = collections.Counter()
        self.widths = collections.Counter()
        self.slowest = 0.0
        self.lines = set()
        self._port, self._networks = port, networks
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._client, args=(i,)) for i in range(clients)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _client(self, number):
        connection, which = http.client.HTTPConnection("127.0.0.1", self._port, timeout=90), number
        while not self._stop.is_set():
            which = (which + 1) % len(self._networks[0].inputs)
            begin = time.monotonic()
            try:
                status, bits, said = ask(connection, self._networks[0].inputs[which])
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                status, said = type(error).__name__, str(error)
            self.slowest = max(self.slowest, time.monotonic() - begin)
            if status == 200:
                right = any(n.answers[which][bits] == said for n in self._networks)
                self.counts["right" if right else "wrong"] += 1
                self.widths[bits] += 1
            else:
                self.counts[f"status {status}"] += 1
                self.lines.add(said[:200])


class Server:
    """`pbatch serve` of its own process; ``more``: other models, as their settings."""

    def __init__(self, folder, model, environment=None, more=(), **settings):
        self.port, self.log = free_port(), f"{folder}/serve.log"
        lines = {"port": self.port, "grpc_port": 0, "threads": 1, "replicas": 1, "max_replicas": 0,
                 "cache": ""}  # fmt: skip
        lines.update((k, settings.pop(k)) for k in list(settings) if k in lines)
        self.grpc_port = lines["grpc_port"]
        one = {"name": "net", "path": model, "floor": 1, "target_ms": 200, **settings}
        text = "".join(f"{k} = {json.dumps(v)}\n" for k, v in lines.items())
        for row in (one, *more):
            text += "[[models]]\n" + "".join(f"{k} = {json.dumps(v)}\n" for k, v in row.items())
        config = f"{folder}/serve.toml"
        pathlib.Path(config).write_text(text)
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "pbatch", "serve", "--config", config], stdout=log,
                stderr=subprocess.STDOUT, env={**os.environ, **(environment or {})},
            )  # fmt: skip
        wait_until(lambda: self.get("/v2/models/net/ready")[0] == 200, 240, self.process)

    def get(self, path, method="GET"):
        try:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
            connection.request(method, path, b"" if method == "POST" else None)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except OSError:
            return 0, b""

    def replicas(self):
        family = psutil.Process(self.process.pid).children(recursive=True)
        return [p for p in family if "ServeReplica:pbatch:pbatch" in " ".join(p.cmdline())]

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()


def wait_until(holds, seconds, process=None):
    until = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > until or (process is not None and process.poll() is not None):
            raise SystemExit("it does not come up")
        time.sleep(0.3)


def seen(load, *more):
    return {**load.counts, "slowest_s": round(load.slowest, 2), "widths": dict(load.widths),
            "lines": sorted(load.lines)[:3], "seen": "; ".join(more)}  # fmt: skip


# Each fault: (folder, args) to what was seen.


def replica(folder, args):
    net = Network(folder, 1)
    server = Server(folder, net.path, replicas=2)
    try:
        wait_until(lambda: len(server.replicas()) == 2, 120)
        with Load(server.port, [net]) as load:
            time.sleep(args.seconds / 3)
            for _ in range(2):
                server.replicas()[0].kill()
                time.sleep(args.seconds / 3)
        wait_until(lambda: len(server.replicas()) == 2, 120)
        return seen(load, "killed two times, both replicas are back")
    finally:
        server.stop()


def node(folder, args):
    """Two nodes of Ray on this machine; the one without a proxy's port goes."""
    os.environ["RAY_SERVE_WORKER_PROXY_HTTP_PORT"] = str(free_port())
    import ray
    from ray import serve
    from ray.cluster_utils import Cluster

    from pbatch.serve._config import config_of
    from pbatch.serve._main import settings_for_proxies, start

    net, port = Network(folder, 1), free_port()
    config = config_of(
        [{"name": "net", "path": net.path, "floor": 1}],
        {"port": port, "grpc_port": 0, "threads": 1, "replicas": 2},
    )
    os.environ.update(settings_for_proxies(config))
    os.environ["RAY_worker_niceness"] = "0"
    os.environ["RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S"] = "60"
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    second = cluster.add_node(num_cpus=1)
    try:
        start(config, cluster.address)
        nodes = {a["NodeID"] for a in ray.nodes() if a["Alive"]}
        with Load(port, [net]) as load:
            time.sleep(args.seconds / 2)
            cluster.remove_node(second, allow_graceful=False)
            time.sleep(args.seconds)
        left = {a["NodeID"] for a in ray.nodes() if a["Alive"]}
        return seen(load, f"{len(nodes)} nodes, then {len(left)}")
    finally:
        serve.shutdown()
        ray.shutdown()
        cluster.shutdown()


def cut(folder, args):
    net = Network(folder, 1)
    size = os.path.getsize(net.data)
    server = Server(folder, net.path, ceiling=4)
    try:
        with Load(server.port, [net]) as load:
            time.sleep(args.seconds / 3)
            os.truncate(net.data, size // 2)
            time.sleep(args.seconds / 3)
            connection = http.client.HTTPConnection("127.0.0.1", server.port)
            beyond = ask(connection, net.inputs[0], bits=8)
            within = ask(connection, net.inputs[0], bits=4)
            time.sleep(args.seconds / 3)
        same = within[2] == net.answers[0][4]
        return seen(load, f"bits 8, never read: {beyond[0]} {beyond[2]}",
                    f"bits 4: {within[0]}, {'right' if same else 'wrong'}")  # fmt: skip
    finally:
        server.stop()


def disk(folder, args):
    net, cache = Network(folder, 1), f"{folder}/cache"
    os.mkdir(cache)
    small = os.path.getsize(net.data) * 6 // 10 + os.path.getsize(net.path) + 8192
    mount = ["mount", "-t", "tmpfs", "-o", f"size={small // 4096 * 4096}", "tmpfs", cache]
    if os.geteuid() or subprocess.run(mount, capture_output=True).returncode:
        return {"seen": "not tried: no tmpfs can be mounted"}
    try:
        server = Server(folder, f"file://{net.path}", cache=cache)
        try:
            with Load(server.port, [net]) as load:
                time.sleep(args.seconds / 2)
                full = json.loads(server.get("/v2/models/net/ready")[1])["bits"]
                subprocess.run(["mount", "-o", f"remount,size={4 * small}", cache], check=True)
                time.sleep(args.seconds / 2)
                wait_until(lambda: json.loads(server.get("/v2/models/net/ready")[1])["bits"] == 8, 90)
            return seen(load, f"{full} of 8 bits while it was full, 8 with room")
        finally:
            server.stop()
    finally:
        subprocess.run(["umount", "-l", cache], check=False)


def clients(folder, args):
    """Slow ones, and those that go before their answer."""
    net = Network(folder, 1)
    server = Server(folder, net.path)
    body, headers = request_of({"x": net.inputs[0]})
    head = (f"POST /v2/models/net/infer HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
            f"{HEAD}: {headers[HEAD]}\r\n\r\n").encode()  # fmt: skip
    try:
        with Load(server.port, [net], clients=2) as load:
            slow = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(20)]
            for s in slow:
                s.sendall(head)
            for _ in range(200):
                with socket.create_connection(("127.0.0.1", server.port)) as gone:
                    gone.sendall(head + body)
            step = -(-len(body) // 20)
            for at in range(0, len(body), step):
                for s in slow:
                    s.sendall(body[at : at + step])
                time.sleep(args.seconds / 20)
            answers = sum(s.recv(12) == b"HTTP/1.1 200" for s in slow)
            for s in slow:
                s.close()
            time.sleep(1)
        waiting = json.loads(server.get("/status")[1])["models"][0]["waiting"]
        return seen(load, f"{answers} of 20 slow clients were answered", "200 went before theirs",
                    f"{waiting} wait at the end")  # fmt: skip
    finally:
        server.stop()


def clock(folder, args):
    found = glob.glob("/usr/lib/*/faketime/libfaketime.so.1")
    if not found:
        return {"seen": "not tried: no libfaketime"}
    net, stamp = Network(folder, 1), f"{folder}/clock"
    pathlib.Path(stamp).write_text("+0")
    # Where the monotonic clock is left alone, libfaketime 0.9.10 fails the call that time.sleep makes.
    pathlib.Path(f"{folder}/sitecustomize.py").write_text(
        "import select, time\ntime.sleep = lambda seconds: select.select([], [], [], seconds) and None\n"
    )
    paths = [folder, *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {"LD_PRELOAD": found[0], "FAKETIME_TIMESTAMP_FILE": stamp,
                   "PYTHONPATH": os.pathsep.join(paths), "FAKETIME_DONT_FAKE_MONOTONIC": "1",
                   "FAKETIME_CACHE_DURATION": "1"}  # fmt: skip
    server = Server(folder, net.path, environment)
    try:
        with Load(server.port, [net]) as load:
            for jump in ("+0", "+3600", "-7200", "+0"):
                pathlib.Path(stamp).write_text(jump)
                time.sleep(args.seconds / 3)
        return seen(load, "an hour on, two hours back from the true time, and true again")
    finally:
        server.stop()


def replaced(folder, args):
    old, new, path = Network(folder, 1), Network(folder, 2), f"{folder}/live.pbatch.onnx"
    old.copy_to(path)
    server = Server(folder, path)
    try:
        with Load(server.port, [old, new]) as load:
            time.sleep(args.seconds / 4)
            for which in (new, old, new):
                which.copy_to(path)
                status, _ = server.get("/v2/repository/models/net/load", "POST")
                assert status == 200, status
                time.sleep(args.seconds / 4)
        connection = http.client.HTTPConnection("127.0.0.1", server.port)
        _, bits, said = ask(connection, new.inputs[0])
        return seen(load, "replaced three times",
                    "the new one at the end" if new.answers[0][bits] == said else "NOT the new one")
    finally:
        server.stop()


FAULTS = {"replica": replica, "node": node, "cut": cut, "disk": disk, "clients": clients,
          "clock": clock, "replaced": replaced}  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default=",".join(FAULTS), help="of " + ", ".join(FAULTS))
    parser.add_argument("--seconds", type=float, default=15, help="of load, about, for each")
    parser.add_argument("--json", metavar="FILE")
    args = parser.parse_args()
    said = {}
    for name in args.only.split(","):
        folder = tempfile.mkdtemp(prefix=f"pbatch-{name}-")
        said[name] = FAULTS[name](folder, args)
        print(name, json.dumps(said[name]), flush=True)
        shutil.rmtree(folder, ignore_errors=True)
    said["load"] = os.getloadavg()
    if args.json:
        pathlib.Path(args.json).write_text(json.dumps(said, indent=2))
    bad = [n for n, row in said.items() if n != "load" and row.get("wrong")]
    sys.exit(f"wrong answers: {', '.join(bad)}" if bad else 0)


if __name__ == "__main__":
    main()
