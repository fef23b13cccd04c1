"""The server on Ray, with the clients that people have: tritonclient over HTTP and gRPC, curl.

The tests start and stop Ray themselves, in a process of the server's own.
"""

import json
import os
import pathlib
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request

import numpy as np
import pytest

import pbatch

pytest.importorskip("ray", reason="ray is not installed")

TOKEN = "a-token-of-the-tests"
START_SECONDS = 170


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Running:
    def __init__(self, folder, name, **settings):
        self.port, self.grpc_port = free_port(), free_port()
        self.scheme, self.tls = "http", None
        if "tls_certificate" in settings:
            self.scheme = "https"
            self.tls = ssl.create_default_context(cafile=settings["tls_certificate"])
        self.log = folder / f"{name}.log"
        config = folder / f"{name}.toml"
        lines = {"port": self.port, "grpc_port": self.grpc_port, "threads": 1, **settings}
        config.write_text(
            "".join(f"{k} = {json.dumps(v)}\n" for k, v in lines.items())
            + '[[models]]\nname = "net"\npath = "net.pbatch.onnx"\nfloor = 2\n'
            'cascade = "2:0.8,8"\ntarget_ms = 2000\n'
            '[[models]]\nname = "later"\npath = "later.onnx"\nload = false\n'
        )
        command = [sys.executable, "-m", "pbatch", "serve", "--config", str(config)]
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                command, cwd=folder, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
        until = time.monotonic() + START_SECONDS
        while b"serving at" not in self.log.read_bytes():
            if self.process.poll() is not None or time.monotonic() > until:
                self.stop()
                raise RuntimeError(self.log.read_text()[-4000:])
            time.sleep(0.3)
        while self.status("/v2/health/ready")[0] != 200:
            assert time.monotonic() < until, self.log.read_text()[-4000:]
            time.sleep(0.2)

    def stop(self):
        if self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def status(self, path, data=None, headers=None):
        """Status and body."""
        request = urllib.request.Request(
            f"{self.scheme}://127.0.0.1:{self.port}{path}", data,
            {"Authorization": f"Bearer {TOKEN}", **(headers or {})},
        )  # fmt: skip
        try:
            with urllib.request.urlopen(request, timeout=60, context=self.tls) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()
        except OSError:
            return 0, b""


def descendants(pid):
    """[(pid, command line)] of a process's children, and theirs."""
    parents, lines = {}, {}
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            lines[int(folder.name)] = (folder / "cmdline").read_bytes()
        except OSError:  # it has ended
            pass
    found, more = [], {pid}
    while more:
        more = {child for child, parent in parents.items() if parent in more}
        found += [(child, lines.get(child, b"")) for child in more]
    return found


@pytest.fixture(scope="module")
def server(folder):
    running = Running(folder, "serve", tokens=[TOKEN], max_body=1 << 20)
    yield running
    running.stop()


def items(count, seed=3):
    return np.random.default_rng(seed).standard_normal((count, 64)).astype(np.float32)


@pytest.fixture
def exactly(session):
    def run(x, bits, **more):
        options = pbatch.RunOptions()
        options.add_run_config_entry("pbatch.exact", "1")
        return session.run(None, {"x": x}, options, bits=bits, **more)[0]

    return run


def test_curl(server, exactly):
    if shutil.which("curl") is None:
        pytest.skip("no curl")

    def curl(*arguments):
        done = subprocess.run(
            ["curl", "-s", "-H", f"Authorization: Bearer {TOKEN}", *arguments],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        return done.stdout

    base = f"http://127.0.0.1:{server.port}/v2"
    assert json.loads(curl(base))["extensions"] == [
        "binary_tensor_data", "model_repository", "parameters"
    ]  # fmt: skip
    metadata = json.loads(curl(f"{base}/models/net"))
    assert metadata["inputs"] == [{"name": "x", "datatype": "FP32", "shape": [-1, 64]}]
    x = items(2)
    body = json.dumps({
        "id": "9", "parameters": {"bits": 3},
        "inputs": [{"name": "x", "datatype": "FP32", "shape": [2, 64], "data": x.tolist()}],
    })  # fmt: skip
    answer = json.loads(curl("-d", body, f"{base}/models/net/infer"))
    assert answer["id"] == "9"
    assert answer["parameters"]["bits"] == 3
    assert answer["parameters"]["wait_ms"] >= 0
    y = np.array(answer["outputs"][0]["data"], np.float32).reshape(answer["outputs"][0]["shape"])
    assert (y == exactly(x, 3)).all()


def test_tritonclient_over_http(server, exactly):
    http = pytest.importorskip("tritonclient.http", reason="tritonclient is not installed")
    with http.InferenceServerClient(f"127.0.0.1:{server.port}") as client:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        assert client.is_server_live(headers=headers) and client.is_server_ready(headers=headers)
        assert client.is_model_ready("net", headers=headers)
        assert client.get_server_metadata(headers=headers)["name"] == "pbatch"
        assert client.get_model_metadata("net", headers=headers)["platform"] == "pbatch_bit_layers"
        names = [m["name"] for m in client.get_model_repository_index(headers=headers)]
        assert names == ["later", "net"]
        x = items(5)
        for binary in (True, False):
            given = http.InferInput("x", x.shape, "FP32")
            given.set_data_from_numpy(x, binary_data=binary)
            wanted = http.InferRequestedOutput("y", binary_data=binary)
            for parameters, expected in (
                ({"bits": 2, "abits": 8}, exactly(x, 2, abits=8)),
                ({"bits": 4, "layers": "fc1=6"}, exactly(x, 4, layers={"fc1": 6})),
            ):
                answer = client.infer(
                    "net", [given], outputs=[wanted], parameters=parameters,
                    headers=dict(headers),  # which the client writes to
                )  # fmt: skip
                assert (answer.as_numpy("y") == expected).all()


def test_tritonclient_over_grpc(server, exactly, folder):
    grpc = pytest.importorskip("tritonclient.grpc", reason="tritonclient is not installed")
    with grpc.InferenceServerClient(f"127.0.0.1:{server.grpc_port}") as client:
        headers = {"authorization": f"Bearer {TOKEN}"}
        with pytest.raises(grpc.InferenceServerException, match="UNAUTHENTICATED"):
            client.get_server_metadata()
        assert client.is_server_live(headers=headers) and client.is_server_ready(headers=headers)
        assert client.is_model_ready("net", headers=headers)
        assert client.get_server_metadata(headers=headers).name == "pbatch"
        shape = client.get_model_metadata("net", headers=headers).inputs[0].shape
        assert list(shape) == [-1, 64]
        x = items(4)
        given = grpc.InferInput("x", x.shape, "FP32")
        given.set_data_from_numpy(x)
        answer = client.infer(
            "net", [given], parameters={"cascade": True, "deadline_ms": 5000}, headers=headers
        )
        stages = pbatch.Cascade(
            pbatch.InferenceSession(str(folder / "net.pbatch.onnx")), [2, 8], thresholds=[0.8]
        )
        run = stages.run({"x": x})
        assert (answer.as_numpy("y") == run.outputs[0]).all()
        said = answer.get_response().parameters["items_of_stages"].string_param
        assert said == f"{run.stages[0].answered},{run.stages[1].answered}"
        with pytest.raises(grpc.InferenceServerException, match="NOT_FOUND"):
            client.infer("nothing", [given], headers=headers)
        with pytest.raises(grpc.InferenceServerException, match="INVALID_ARGUMENT"):
            wrong = grpc.InferInput("x", [4, 63], "FP32")
            wrong.set_data_from_numpy(x[:, :63])
            client.infer("net", [wrong], headers=headers)
        index = client.get_model_repository_index(headers=headers)
        assert [m.state for m in index.models] == ["UNAVAILABLE", "READY"]


def test_models_come_and_go(server, folder):
    infer = json.dumps({
        "inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 64], "data": [0.5] * 64}]
    }).encode()  # fmt: skip
    assert server.status("/v2/models/later/infer", infer)[0] == 404
    status, said = server.status("/v2/repository/models/later/load", b"")
    assert status == 400 and b"later.onnx" in said
    for suffix in (".onnx", ".safetensors"):
        shutil.copy(folder / f"net.pbatch{suffix}", folder / f"later{suffix}")
    assert server.status("/v2/repository/models/later/load", b"")[0] == 200
    assert server.status("/v2/models/later/infer", infer)[0] == 200
    assert server.status("/v2/repository/models/later/load", b"")[0] == 200  # anew
    assert server.status("/v2/repository/models/later/unload", b"")[0] == 200
    assert server.status("/v2/models/later/infer", infer)[0] == 404
    assert server.status("/v2/health/ready")[0] == 200


def test_errors_are_the_protocols(server):
    def infer(whole, model="net", headers=None, **changes):
        tensor = {"name": "x", "datatype": "FP32", "shape": [1, 64], "data": [0.5] * 64, **changes}
        body = json.dumps({"inputs": [tensor]}).encode() if whole is None else whole
        status, said = server.status(f"/v2/models/{model}/infer", body, headers)
        return status, json.loads(said)["error"]

    assert infer(None, model="nothing")[0] == 404
    for changes, says in (
        ({"shape": [1, 65], "data": [0] * 65}, "the model takes [-1, 64]"),
        ({"name": "z"}, "no input 'z'"),
        ({"datatype": "FP64"}, "the model takes FP32"),
        ({"datatype": "STRING"}, "datatype 'STRING'"),
        ({"shape": [1 << 28]}, "needs 268435456 values but has 64"),
        ({"data": None, "parameters": {"binary_data_size": 256}}, "claims 256 bytes"),
    ):
        status, said = infer(None, **changes)
        assert status == 400 and says in said
    assert infer(b"{}")[0] == 400
    # Refused before it is read, so the connection may be reset before the answer is.
    for _ in range(20):
        status, _ = server.status("/v2/models/net/infer", b"0" * (2 << 20))
        if status != 0:
            break
    assert status == 413
    wanted = json.dumps({
        "parameters": {"bits": 12},
        "inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 64], "data": [0.5] * 64}],
    }).encode()  # fmt: skip
    status, said = infer(wanted)
    assert status == 400 and "the model has 8" in said


def raw(port, head, seconds=20):
    """What comes back for a request's head, whose body never comes."""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as s:
        s.sendall(head)
        return s.recv(4096)


def test_nothing_is_read_of_whom_may_not_ask(server):
    head = b"POST /v2/models/net/infer HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n"
    assert raw(server.port, head + b"\r\n").startswith(b"HTTP/1.1 401 ")
    allowed = head + f"Authorization: Bearer {TOKEN}\r\n".encode()
    claim = allowed.replace(b"1000000", b"1073741824")
    assert raw(server.port, claim + b"\r\n").startswith(b"HTTP/1.1 413 ")


def test_requests_at_once_all_get_their_own_answers(server, exactly):
    from concurrent.futures import ThreadPoolExecutor

    x = items(60, seed=8)
    wide = {bits: exactly(x, bits) for bits in range(2, 9)}

    def ask(i):
        body = json.dumps({
            "inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 64],
                        "data": x[i].tolist()}],
        }).encode()  # fmt: skip
        status, said = server.status("/v2/models/net/infer", body)
        assert status == 200, said
        return json.loads(said)

    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(ask, range(len(x))))
    for i, answer in enumerate(answers):
        y = np.array(answer["outputs"][0]["data"], np.float32)
        assert (y == wide[answer["parameters"]["bits"]][i]).all()


def test_metrics_and_the_status_page(server):
    status, text = server.status("/metrics")
    assert status == 200
    assert b'pbatch_items_total{bits="3",model="net"} 2.0' in text
    assert b'pbatch_request_seconds_count{bits="8",model="net"}' in text
    status, said = server.status("/status")
    rows = {m["name"]: m for m in json.loads(said)["models"]}
    assert rows["net"]["width"] == 8 and rows["net"]["waiting"] == 0
    assert rows["later"]["state"] == "UNAVAILABLE"
    status, page = server.status("/")
    assert status == 200 and b"<title>pbatch</title>" in page
    log = pathlib.Path(server.log).read_text()
    assert '"message": "model loaded"' in log


def test_two_replicas_answer_as_one(server, folder, exactly):
    """A model that one was told to load is there at the other; over gRPC a killed one costs no request. After
    the other server: one Ray at a time."""
    grpc = pytest.importorskip("tritonclient.grpc", reason="tritonclient is not installed")
    from concurrent.futures import ThreadPoolExecutor

    server.stop()
    running = Running(folder, "replicas", replicas=2)
    x = items(40, seed=4)
    wide = {bits: exactly(x, bits) for bits in range(2, 9)}

    def replicas():
        return [pid for pid, line in descendants(running.process.pid)
                if b"ServeReplica:pbatch:pbatch" in line]  # fmt: skip

    def ask(i):
        given = grpc.InferInput("x", [1, 64], "FP32")
        given.set_data_from_numpy(x[i : i + 1])
        answer = client.infer("net", [given])
        bits = answer.get_response().parameters["bits"].int64_param
        return (answer.as_numpy("y")[0] == wide[bits][i]).all()

    try:
        until = time.monotonic() + START_SECONDS
        while len(replicas()) < 2:
            assert time.monotonic() < until
            time.sleep(0.3)
        infer = json.dumps({
            "inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 64], "data": [0.5] * 64}]
        }).encode()  # fmt: skip
        for suffix in (".onnx", ".safetensors"):
            shutil.copy(folder / f"net.pbatch{suffix}", folder / f"later{suffix}")
        assert running.status("/v2/repository/models/later/load", b"")[0] == 200
        assert {running.status("/v2/models/later/infer", infer)[0] for _ in range(20)} == {200}
        address = f"127.0.0.1:{running.grpc_port}"
        with grpc.InferenceServerClient(address) as client, ThreadPoolExecutor(4) as pool:
            first = pool.map(ask, range(len(x)))
            os.kill(replicas()[0], signal.SIGKILL)
            assert all(first)
            assert all(pool.map(ask, range(len(x))))  # the proxy may not know yet
    finally:
        running.stop()


def test_both_ports_speak_tls(server, folder, exactly):
    """After the other server: one Ray at a time."""
    grpc = pytest.importorskip("tritonclient.grpc", reason="tritonclient is not installed")
    if shutil.which("openssl") is None:
        pytest.skip("no openssl")
    server.stop()
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
         "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key,
         "-out", certificate], check=True, capture_output=True,
    )  # fmt: skip
    tls = {"tls_key": str(key), "tls_certificate": str(certificate)}
    running = Running(folder, "tls", tokens=[TOKEN], **tls)
    try:
        assert running.status("/v2")[0] == 200
        x = items(1)
        given = grpc.InferInput("x", x.shape, "FP32")
        given.set_data_from_numpy(x)
        address, headers = f"localhost:{running.grpc_port}", {"authorization": f"Bearer {TOKEN}"}
        with grpc.InferenceServerClient(
            address, ssl=True, root_certificates=str(certificate)
        ) as client:
            answer = client.infer("net", [given], parameters={"bits": 3}, headers=headers)
            assert (answer.as_numpy("y") == exactly(x, 3)).all()
        with grpc.InferenceServerClient(address) as client:
            with pytest.raises(grpc.InferenceServerException):  # in the clear
                client.is_server_live(headers=headers, client_timeout=5)
    finally:
        running.stop()
