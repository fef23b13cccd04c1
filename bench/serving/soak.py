#!/usr/bin/env python3
"""Mixed load with faults for long on `pbatch serve`, and what its processes hold in memory meanwhile.

    bench/serving/soak.py --json FILE [--minutes 60] [--rate 8] [--kill-seconds 300]

Two replicas answer REST and gRPC, widths that the server chooses, named ones and cascades; clients that are
slow or go before their answer, a second model that is loaded and unloaded, and now and then a replica killed.
Every answer is compared bit for bit with a run of the width that it names; nobody asks twice. Resident and own
(USS) memory of every process is read each --sample-seconds. FILE is written anew each minute, so a stop leaves
what there is. Needs the package pbatch with the extra serve, onnx and psutil.
"""

import argparse
import collections
import http.client
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import tempfile
import threading
import time

import grpc
import numpy as np
import psutil
import ray

import pbatch
from faults import SHAPE, Network, Server, ask, wait_until
from pbatch.serve._grpc import MESSAGES, SERVICE
from wire import HEAD, free_port, request_of


class Soak:
    """Counts of what was asked and came back, and the threads that ask."""

    def __init__(self, server, net, rate):
        self.server, self.net, self.rate = server, net, rate
        self.counts = collections.Counter()
        self.errors = collections.Counter()
        self.slowest = 0.0
        self.samples = []
        self.kills = []
        self.begin = time.monotonic()
        self._stop = threading.Event()
        self._lock = threading.Lock()
        with pbatch.InferenceSession(net.path, threads=1) as session:
            margins = []
            for x in net.inputs:
                y = np.sort(session.run(None, {"x": x}, bits=2, abits=16)[0][0])
                margins.append(float(y[-1] - y[-2]))
        self._cascade = f"2:{np.median(margins):.6g},8"

    def run(self, seconds, every):
        """``every`` is {what: seconds between two}."""
        parts = [
            (self._rest, 2 / self.rate), (self._grpc, 2 / self.rate),
            (self._slow, every["slow"]), (self._gone, every["gone"]),
            (self._repository, every["repository"]), (self._kill, every["kill"]),
            (self._sample, every["sample"]),
        ]  # fmt: skip
        threads = [threading.Thread(target=self._repeat, args=part) for part in parts]
        for thread in threads:
            thread.start()
        self._stop.wait(seconds)
        self._stop.set()
        for thread in threads:
            thread.join()

    def stop(self):
        self._stop.set()

    def _repeat(self, what, seconds):
        state = {}
        while not self._stop.wait(random.expovariate(1 / seconds) if seconds < 2 else seconds):
            try:
                what(state)
            except Exception as error:  # a part that ends would go unseen
                self._note(what.__name__, f"{type(error).__name__}: {error}")

    def _note(self, kind, error=None):
        with self._lock:
            self.counts[kind if error is None else f"{kind}, error"] += 1
            if error is not None:
                self.errors[f"{kind}: {error[:160]}"] += 1

    def _check(self, kind, which, said, bits, stages, begin):
        taken = time.monotonic() - begin
        if stages:
            bits = 2 if stages == "1,0" else 8
        right = said == self.net.answers[which][int(bits)]
        self._note(kind if right else f"{kind}, WRONG")
        with self._lock:
            self.slowest = max(self.slowest, taken)

    def _parameters(self):
        chosen = random.random()
        if chosen < 0.5:
            return {}
        return {"cascade": self._cascade} if chosen < 0.75 else {"bits": random.randint(1, 8)}

    # Who asks

    def _rest(self, state):
        if "connection" not in state:
            state["connection"] = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=90)
        which, parameters = random.randrange(len(self.net.inputs)), self._parameters()
        begin = time.monotonic()
        try:
            body = request_of({"x": self.net.inputs[which]}, **parameters)
            state["connection"].request("POST", "/v2/models/net/infer", *body)
            answer = state["connection"].getresponse()
            said = answer.read()
        except (OSError, http.client.HTTPException):
            state.pop("connection").close()
            raise
        if answer.status != 200:
            self._note("REST", f"{answer.status} {said!r}")
            return
        size = int(answer.headers[HEAD])
        told = json.loads(said[:size])["parameters"]
        kind = "REST, cascade" if "cascade" in parameters else "REST"
        self._check(kind, which, said[size:], told["bits"], told.get("items_of_stages"), begin)

    def _grpc(self, state):
        if "call" not in state:
            channel = grpc.insecure_channel(f"127.0.0.1:{self.server.grpc_port}")
            state["call"] = channel.unary_unary(
                f"/{SERVICE}/ModelInfer",
                request_serializer=lambda message: message.SerializeToString(),
                response_deserializer=MESSAGES["ModelInferResponse"].FromString,
            )
        which, parameters = random.randrange(len(self.net.inputs)), self._parameters()
        request = MESSAGES["ModelInferRequest"](model_name="net")
        request.inputs.add(name="x", datatype="FP32", shape=SHAPE)
        request.raw_input_contents.append(self.net.inputs[which].tobytes())
        for name, value in parameters.items():
            kind = "int64_param" if isinstance(value, int) else "string_param"
            setattr(request.parameters[name], kind, value)
        begin = time.monotonic()
        try:
            answer = state["call"](request, timeout=90)
        except grpc.RpcError as error:
            self._note("gRPC", f"{error.code().name} {error.details()}")
            return
        told = answer.parameters
        stages = told["items_of_stages"].string_param if "items_of_stages" in told else None
        bits = None if stages else told["bits"].int64_param
        kind = "gRPC, cascade" if stages else "gRPC"
        self._check(kind, which, answer.raw_output_contents[0], bits, stages, begin)

    def _head(self, body, headers):
        return (f"POST /v2/models/net/infer HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
                f"{HEAD}: {headers[HEAD]}\r\n\r\n").encode()  # fmt: skip

    def _slow(self, _):
        body, headers = request_of({"x": self.net.inputs[0]})
        with socket.create_connection(("127.0.0.1", self.server.port), timeout=90) as client:
            client.sendall(self._head(body, headers))
            step = -(-len(body) // 10)
            for at in range(0, len(body), step):
                client.sendall(body[at : at + step])
                time.sleep(0.5)
            said = client.recv(12)
        self._note("slow client", None if said == b"HTTP/1.1 200" else repr(said))

    def _gone(self, _):
        body, headers = request_of({"x": self.net.inputs[0]})
        for _ in range(5):
            with socket.create_connection(("127.0.0.1", self.server.port)) as client:
                client.sendall(self._head(body, headers) + body)
        self._note("five clients gone")

    def _repository(self, _):
        def post(what):
            status, said = self.server.get(f"/v2/repository/models/later/{what}", "POST")
            if status != 200:
                raise RuntimeError(f"{what}: {status} {said!r}")

        post("load")
        time.sleep(2)  # other replicas follow
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=90)
        status, bits, said = ask(connection, self.net.inputs[1], model="later")
        right = status == 200 and said == self.net.answers[1][bits]
        self._note("load, request, unload", None if right else f"{status} {said!r}")
        post("unload")

    def _kill(self, _):
        replicas = self.server.replicas()
        if len(replicas) < 2:
            return
        chosen = random.choice(replicas)
        self.kills.append((time.monotonic() - self.begin, chosen.pid))
        chosen.kill()
        self._note("replica killed")

    # What is seen

    def _sample(self, _):
        at = time.monotonic() - self.begin
        for process in psutil.Process(self.server.process.pid).children(recursive=True):
            try:
                name = process.name() + " " + " ".join(process.cmdline())
                kind = next((k for k in ("ServeReplica:pbatch:pbatch", "ProxyActor", "ServeController",
                                         "raylet", "gcs_server") if k in name), None)  # fmt: skip
                if kind is not None:
                    memory = process.memory_full_info()
                    self.samples.append((round(at, 1), kind, process.pid, memory.rss, memory.uss))
            except psutil.Error:  # it has just ended
                pass

    def summary(self):
        lives = collections.defaultdict(list)
        for at, kind, pid, rss, uss in self.samples:
            lives[kind, pid].append((at, rss, uss))
        rows = []
        for (kind, pid), seen in lives.items():
            # What comes first, workspaces and caches, is not growth.
            late = [s for s in seen if s[0] >= seen[0][0] + 120]
            row = {"process": kind, "pid": pid, "from_s": seen[0][0], "to_s": seen[-1][0],
                   "rss_mb": [round(s[1] / 2**20, 1) for s in (seen[0], seen[-1])],
                   "uss_mb": [round(s[2] / 2**20, 1) for s in (seen[0], seen[-1])]}  # fmt: skip
            if len(late) > 10:
                hours = np.array([s[0] for s in late]) / 3600
                row["rss_mb_after_two_minutes"] = round(late[0][1] / 2**20, 1)
                row["rss_mb_an_hour"] = round(np.polyfit(hours, [s[1] for s in late], 1)[0] / 2**20, 2)
            rows.append(row)
        return {
            "seconds": round(time.monotonic() - self.begin), "rate": self.rate,
            "counts": dict(self.counts), "errors": dict(self.errors),
            "slowest_s": round(self.slowest, 2), "kills": self.kills, "processes": rows,
            "cpus": os.cpu_count(), "load": os.getloadavg(), "ray": ray.__version__,
            "pbatch": pbatch.__version__, "isa": pbatch.active_isa(),
            "date": time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime()),
        }  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", required=True, metavar="FILE")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--rate", type=float, default=8, help="requests a second, of both protocols")
    parser.add_argument("--kill-seconds", type=float, default=300)
    parser.add_argument("--sample-seconds", type=float, default=10)
    args = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="pbatch-soak-")
    net = Network(folder, 1)
    later = {"name": "later", "path": net.path, "floor": 1, "load": False}
    server = Server(folder, net.path, replicas=2, grpc_port=free_port(), more=[later])
    every = {"slow": 20, "gone": 10, "repository": 30, "kill": args.kill_seconds,
             "sample": args.sample_seconds}  # fmt: skip
    try:
        wait_until(lambda: len(server.replicas()) == 2, 240)
        soak = Soak(server, net, args.rate)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: soak.stop())

        def write():
            said = {**soak.summary(), "samples": soak.samples}
            pathlib.Path(args.json + ".new").write_text(json.dumps(said))
            os.replace(args.json + ".new", args.json)

        over = threading.Event()

        def keep():
            while not over.wait(60):
                write()

        keeper = threading.Thread(target=keep)
        keeper.start()
        soak.run(60 * args.minutes, every)
        over.set()
        keeper.join()
        write()
        print(json.dumps(soak.summary(), indent=2))
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
