"""The Open Inference Protocol without a server: tensors, parameters, who may ask, what runs together."""

import asyncio
import itertools
import json
import pickle
import types

import numpy as np
import pytest

from pbatch.errors import InvalidArgumentError
from pbatch.serve._config import config_of, read_config
from pbatch.serve._controller import Costs, Policy
from pbatch.serve._guard import Guard, is_allowed
from pbatch.serve._precision import Wanted, read_deadline, read_wanted
from pbatch.serve._protocol import (
    InferResponse,
    ProtocolError,
    check_inputs,
    decode_http,
    encode_http,
)
from pbatch.serve._queue import Queue, Request
from pbatch.serve._retry import OWN_STATUS, Retry, retrying

PORTS = [("x", np.dtype(np.float32), (None, 3), False), ("n", np.dtype(np.int64), None, True)]


def body(**changes):
    tensor = {"name": "x", "datatype": "FP32", "shape": [2, 3], "data": [1, 2, 3, 4, 5, 6]}
    return json.dumps({"inputs": [{**tensor, **changes}]}).encode()


def test_json_and_bytes_are_the_same_tensor():
    plain = decode_http(body(), None).inputs["x"]
    data = plain.tobytes()
    head = body(parameters={"binary_data_size": len(data)})
    binary = decode_http(head + data, len(head)).inputs["x"]
    assert plain.dtype == binary.dtype == np.float32
    assert plain.tolist() == binary.tolist() == [[1, 2, 3], [4, 5, 6]]
    nested = decode_http(body(data=[[1, 2, 3], [4, 5, 6]]), None).inputs["x"]
    assert nested.tolist() == plain.tolist()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"shape": [2, 4]}, "needs 8 values but has 6"),
        ({"shape": [1 << 30, 1 << 30]}, "values but has 6"),
        ({"shape": [2, -3]}, "dimension -3"),
        ({"shape": [2, True]}, "dimension True"),
        ({"shape": 6}, "no usable shape"),
        ({"shape": [1] * 65}, "no usable shape"),
        ({"datatype": "FP8"}, "datatype 'FP8'"),
        ({"datatype": "BYTES"}, "datatype 'BYTES'"),
        ({"data": [[1, 2], [3]]}, "ragged"),
        ({"data": ["a"] * 6}, "not of numbers"),
        ({"datatype": "UINT8", "data": [1, 2, 3, 4, 5, 256]}, "does not fit UINT8"),
        ({"datatype": "INT64", "data": [1, 2, 3, 4, 5, 6.5]}, "does not fit INT64"),
        ({"data": None, "parameters": {"binary_data_size": 24}}, "claims 24 bytes and 0 are left"),
        ({"parameters": {"binary_data_size": 1 << 30}}, "claims 1073741824 bytes"),
        ({"parameters": {"binary_data_size": "1"}}, "claims '1' bytes"),
        ({"parameters": []}, "no object"),
        ({"name": 3}, "no name"),
    ],
)
def test_what_does_not_fit_is_refused(changes, says):
    with pytest.raises(ProtocolError, match=None) as caught:
        decode_http(body(**changes), None)
    assert caught.value.status == 400
    assert says in str(caught.value)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"inputs": 1}', b"\xff" * 20, b"[" * 100_000])
def test_what_is_no_request_is_refused(data):
    with pytest.raises(ProtocolError):
        decode_http(data, None)


def test_bytes_too_short_and_too_long():
    head = body(parameters={"binary_data_size": 20})
    with pytest.raises(ProtocolError, match="needs 24 bytes but has 20"):
        decode_http(head + b"\0" * 20, len(head))
    head = body(parameters={"binary_data_size": 24})
    with pytest.raises(ProtocolError, match="1 bytes belong to no input"):
        decode_http(head + b"\0" * 25, len(head))
    with pytest.raises(ProtocolError, match="of 3 bytes"):
        decode_http(b"abc", 4)


def test_answers_as_numbers_and_as_bytes():
    y = np.array([[1.5, -2]], np.float32)
    answer = InferResponse([("y", y)], {"bits": 3})
    request = decode_http(body(), None)
    request.id = "7"
    data, head = encode_http("m", "1", request, answer)
    assert head is None
    assert json.loads(data) == {
        "model_name": "m", "model_version": "1", "id": "7", "parameters": {"bits": 3},
        "outputs": [{"name": "y", "datatype": "FP32", "shape": [1, 2], "data": [1.5, -2.0]}],
    }  # fmt: skip
    request.all_binary = True
    data, head = encode_http("m", "1", request, answer)
    assert json.loads(data[:head])["outputs"][0]["parameters"] == {"binary_data_size": 8}
    assert data[head:] == y.tobytes()


def test_errors_pass_between_processes():
    error = pickle.loads(pickle.dumps(ProtocolError(404, "not there")))
    assert (error.status, str(error)) == (404, "not there")


def test_inputs_are_those_of_the_model():
    def given(**arrays):
        with pytest.raises(ProtocolError) as caught:
            check_inputs(PORTS, arrays)
        return str(caught.value)

    x = np.zeros((5, 3), np.float32)
    check_inputs(PORTS, {"x": x})
    check_inputs(PORTS, {"x": x, "n": np.zeros((), np.int64)})
    assert "no input 'z'" in given(x=x, z=x)
    assert "is FP64 but the model takes FP32" in given(x=x.astype(np.float64))
    assert "shape [5, 2] but the model takes [-1, 3]" in given(x=x[:, :2])
    assert "shape [3] but" in given(x=x[0])
    assert "input 'x' is missing" in given(n=np.zeros((), np.int64))


def test_parameters_say_how_it_runs():
    assert read_wanted({}, "").is_free
    assert read_wanted({"bits": 3, "abits": 8}, "") == Wanted(3, 8)
    assert read_wanted({"layers": "b=4;a=3,8"}, "").layers == (("a", 3, 8), ("b", 4, 0))
    assert read_wanted({"cascade": True}, "2:1.5,8").cascade == ((2, 1.5), (8, 0.0))
    assert read_wanted({"cascade": "1:0.5,4:1,8"}, "").cascade == ((1, 0.5), (4, 1.0), (8, 0.0))
    assert read_deadline({"deadline_ms": 250}) == 0.25
    assert read_deadline({}) is None
    for wrong in (
        {"bits": 0}, {"bits": 17}, {"bits": "3"}, {"bits": True}, {"abits": 7}, {"layers": "a"},
        {"layers": "a=x"}, {"cascade": True}, {"cascade": "8"}, {"cascade": "2:x,8"},
        {"cascade": "2:1,8", "bits": 3},
    ):  # fmt: skip
        with pytest.raises(ProtocolError):
            read_wanted(wrong, "")
    for wrong in (0, -1, "5", True, 1e12, float("nan")):
        with pytest.raises(ProtocolError):
            read_deadline({"deadline_ms": wrong})


# Who may ask


async def _asked(guard_settings, headers, path="/v2", chunks=()):
    """Statuses sent, bytes the application read, and how often the body was asked for."""
    sent, read, asked = [], [], []
    messages = iter([{"type": "http.request", "body": c, "more_body": True} for c in chunks])

    async def receive():
        asked.append(1)
        return next(messages, {"type": "http.request", "body": b"", "more_body": False})

    async def send(message):
        sent.append(message)

    async def application(scope, inner_receive, inner_send):
        while True:
            message = await inner_receive()
            read.append(message["body"])
            if not message.get("more_body"):
                break
        await inner_send({"type": "http.response.start", "status": 200, "headers": []})

    scope = {"type": "http", "path": path, "headers": [(k, v) for k, v in headers.items()]}
    await Guard(application, **guard_settings)(scope, receive, send)
    return sent[0]["status"], sum(map(len, read)), len(asked)


def asked(*arguments, **named):
    return asyncio.run(_asked(*arguments, **named))


def test_without_a_token_the_body_is_not_read():
    protected = {"tokens": ("one", "two")}
    for headers in (
        {}, {b"authorization": b"Bearer three"}, {b"authorization": b"Basic one"},
        {b"authorization": b"Bearer"}, {b"authorization": b"one"}, {b"authorization": b"\xff"},
    ):  # fmt: skip
        assert asked(protected, headers, chunks=[b"x" * 100]) == (401, 0, 0)
    assert asked(protected, {b"authorization": b"Bearer two"}, chunks=[b"x" * 100])[:2] == (200, 100)
    assert asked(protected, {}, path="/v2/health/live")[0] == 200
    assert asked(protected, {}, path="/")[0] == 200  # the page, without what it shows
    assert asked(protected, {}, path="/status") == (401, 0, 0)
    assert asked(protected, {}, path="/v2/health/live/../../models")[0] == 401
    assert not is_allowed("Bearer ", ()) and not is_allowed("", ("",))


def test_a_body_has_a_limit():
    limited = {"max_body": 10}
    assert asked(limited, {b"content-length": b"1073741824"}) == (413, 0, 0)
    assert asked(limited, {b"content-length": b"-1"}) == (413, 0, 0)
    assert asked(limited, {b"content-length": b"9"}, chunks=[b"x" * 9])[:2] == (200, 9)
    status, read, _ = asked(limited, {}, chunks=[b"x" * 8] * 1000)  # no length: chunked
    assert (status, read) == (413, 8)


# What runs together


def queue(**policy):
    now = itertools.count()
    costs = Costs({2: {1: 0.001, 16: 0.004}, 8: {1: 0.004, 16: 0.016}})
    settings = {"target": 1.0, "floor": 2, "ceiling": 8, "max_batch": 4, **policy}
    return Queue(costs, Policy(**settings), lambda: next(now) * 1e-6)


def request(deadline=1.0, items=1, wanted=Wanted(), kind="k", **more):  # noqa: B008
    return Request(items, 0.0, deadline, wanted, kind, **more)


def test_batches_hold_what_is_alike_and_go_by_deadline():
    q = queue()
    free = [request(deadline=d) for d in (0.9, 0.3, 0.6)]
    named = request(deadline=0.1, wanted=Wanted(bits=5))
    other = request(deadline=0.35, kind="other shape")
    for r in (*free, named, other):
        q.add(r)
    batch = q.next()
    assert (batch.requests, batch.bits) == ([named], 5)
    batch = q.next()
    assert (batch.requests, batch.bits) == ([free[1], free[2], free[0]], 8)
    assert q.next().requests == [other]
    assert q.next() is None
    assert q.items == 0


def test_a_batch_has_no_more_items_than_allowed_but_a_large_request_runs():
    q = queue(max_batch=4)
    for items in (3, 2, 2, 9):
        q.add(request(items=items))
    assert [q.next().items for _ in range(3)] == [3, 4, 9]


def test_requests_that_nobody_waits_for_do_not_run():
    q = queue()
    late, gone, kept = request(deadline=-1.0, must_keep=True), request(), request(deadline=-1.0)
    for r in (late, gone, kept):
        q.add(r)
    assert q.remove(gone) and not q.remove(gone)
    assert q.expired() == [late]
    assert q.next().requests == [kept]


# Settings


def test_settings_of_a_file(tmp_path):
    path = tmp_path / "serve.toml"
    path.write_text(
        'port = 9000\ntokens = ["t"]\n[[models]]\nname = "a"\npath = "a.onnx"\nfloor = 3\n'
    )
    config = config_of(["b.pbatch.onnx", "c=d.onnx"], read_config(str(path)))
    assert (config.port, config.tokens) == (9000, ("t",))
    assert [(m.name, m.path, m.floor) for m in config.models] == [
        ("a", "a.onnx", 3), ("b", "b.pbatch.onnx", 2), ("c", "d.onnx", 2),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("models", "settings"),
    [
        (["a=x", "a=y"], {}),
        (["a/b=x"], {}),
        ([], {"prot": 1}),
        ([], {"port": "1"}),
        ([], {"tls_key": "k"}),
        ([{"name": "a", "path": "x", "floor": 0}], {}),
        ([{"name": "a"}], {}),
        ([{"name": "a", "path": "x", "flor": 1}], {}),
    ],
)
def test_settings_that_cannot_be(models, settings):
    with pytest.raises(InvalidArgumentError):
        config_of(models, settings)


def test_a_request_whose_replica_died_is_asked_again(monkeypatch):
    monkeypatch.setattr("pbatch.serve._retry.WAITS", (0,) * 5)
    ray_says = (500, b"text/plain"), (503, b"text/plain; charset=utf-8")
    ours = (503, b"application/json"), (200, b"application/octet-stream")

    def asked(answers):
        """Statuses that the client sees, and the bodies that the replicas got."""
        left, bodies, seen = list(answers), [], []

        async def replica(scope, receive, send):
            bodies.append((await receive())["body"])
            status, kind = left.pop(0)
            if status is None:  # what Ray does where the replica died
                return
            await send({"type": "http.response.start", "status": status,
                        "headers": [(b"content-type", kind)]})  # fmt: skip
            await send({"type": "http.response.body", "body": b"x"})

        pieces = [{"type": "http.request", "body": b"ab", "more_body": True},
                  {"type": "http.request", "body": b"c"}]  # fmt: skip

        async def receive():
            return pieces.pop(0)

        async def send(message):
            seen.append(message.get("status"))

        scope = {"type": "http", "method": "POST", "path": "/v2/models/net/infer"}
        asyncio.run(Retry(replica)(scope, receive, send))
        return seen, bodies

    assert asked([*ray_says, ours[1]]) == ([200, None], [b"abc"] * 3)
    assert asked([(None, b""), ours[1]]) == ([200, None], [b"abc"] * 2)
    assert asked([ours[0]]) == ([503, None], [b"abc"])  # the server's own answer
    assert asked([ray_says[0]] * 6) == ([500, None], [b"abc"] * 6)


def test_a_grpc_request_whose_replica_died_is_asked_again(monkeypatch):
    monkeypatch.setattr("pbatch.serve._retry.WAITS", (0,) * 5)

    class Context:
        """That of the client, as gRPC makes it."""

        said, trailing = (0, ""), ()

        def peer(self):
            return "ipv4:127.0.0.1:9"

        def set_code(self, code):
            self.said = code.name, self.said[1]

        def set_details(self, details):
            self.said = self.said[0], details

        def set_trailing_metadata(self, metadata):
            self.trailing = metadata

    def asked(answers):
        """What the client sees where attempts end with these codes, and how many there were."""
        seen, context = [], Context()

        async def proxy(request, own):
            assert request == b"abc" and own.peer() == "ipv4:127.0.0.1:9"
            assert not own.code() and not own.details() and list(own.trailing_metadata()) == []
            name, metadata, answer = answers[len(seen)]
            seen.append(name)
            own.set_trailing_metadata(metadata)
            if name != "OK":
                own.set_code(types.SimpleNamespace(name=name))
                own.set_details(f"the details of {name}")
            return answer

        answer = asyncio.run(retrying(proxy)(b"abc", context))
        return answer, context.said, list(context.trailing), len(seen)

    died, none = ("INTERNAL", [], b""), ("UNAVAILABLE", [], b"")
    right = ("OK", [("request_id", "1")], b"an answer")
    assert asked([right]) == (b"an answer", (0, ""), [("request_id", "1")], 1)
    assert asked([died, none, right]) == (b"an answer", (0, ""), [("request_id", "1")], 3)
    assert asked([none] * 6)[1:] == (("UNAVAILABLE", "the details of UNAVAILABLE"), [], 6)
    ours = ("UNAVAILABLE", [(OWN_STATUS, "503")], b"")  # the server's own answer
    assert asked([ours])[1:] == (("UNAVAILABLE", "the details of UNAVAILABLE"), ours[1], 1)
    wrong = ("INVALID_ARGUMENT", [], b"")
    assert asked([wrong])[3] == 1
