"""Models by URL: planes that come one after another, from stores that break off, lie or are replaced."""

import asyncio
import http.server
import pathlib
import shutil
import threading

import numpy as np
import pytest

import pbatch
from pbatch.errors import IoError, MalformedError, NotFoundError, UnsupportedError

pytest.importorskip("fsspec", reason="fsspec is not installed")
pytest.importorskip("aiohttp", reason="aiohttp is not installed")

from pbatch.serve import _transfer  # noqa: E402
from pbatch.serve._config import config_of  # noqa: E402
from pbatch.serve._transfer import Transfer  # noqa: E402


class Store(http.server.ThreadingHTTPServer):
    """Files over HTTP with ranges. ``change(path, begin, bytes)`` sees what is sent; ``cut`` closes the
    connection after so many bytes of a body; ``ranges`` False: whole files only."""

    def __init__(self, folder):
        super().__init__(("127.0.0.1", 0), Handler)
        self.folder, self.cut, self.ranges, self.sent = pathlib.Path(folder), None, True, 0
        self.change = lambda path, begin, data: data
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/net.pbatch.onnx"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_HEAD(self):
        self.answer(body=False)

    def do_GET(self):
        self.answer(body=True)

    def answer(self, body):
        store, path = self.server, self.server.folder / self.path.strip("/")
        if not path.exists():
            self.send_error(404)
            return
        data, begin, whole = path.read_bytes(), 0, True
        if store.ranges and (said := self.headers.get("Range")):
            first, last = said.removeprefix("bytes=").split("-")
            begin, end, whole = int(first), int(last) + 1, False
            size, data = len(data), data[begin:end]
        data = store.change(path.name, begin, data)
        self.send_response(200 if whole else 206)
        self.send_header("Content-Length", str(len(data)))
        if not whole:
            self.send_header("Content-Range", f"bytes {begin}-{begin + len(data) - 1}/{size}")
        self.end_headers()
        if body:
            data = data[: store.cut]
            store.sent += len(data)
            self.wfile.write(data)
            if store.cut is not None:
                self.close_connection = True

    def log_message(self, *arguments):
        pass


@pytest.fixture
def store(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(_transfer, "CHUNK", 512)
    monkeypatch.setattr(_transfer, "LEAST_CHUNK", 256)
    for suffix in ("onnx", "safetensors"):
        shutil.copy(folder / f"net.pbatch.{suffix}", tmp_path)
    running = Store(tmp_path)
    yield running
    running.shutdown()
    running.server_close()


def transfer(store, tmp_path):
    return Transfer(store.url, tmp_path / "cache", wait=0.001)


def data_of(coming):
    return pathlib.Path(coming.path).with_suffix(".safetensors")


def exactly(model, x, bits):
    options = pbatch.RunOptions()
    options.add_run_config_entry("pbatch.exact", "1")
    with pbatch.InferenceSession(model, threads=1) as session:
        return session.run(None, {"x": x}, options, bits=bits)[0]


@pytest.fixture
def x():
    return np.random.default_rng(2).standard_normal((3, 64)).astype(np.float32)


def test_every_plane_that_has_come_answers_as_the_whole_model(store, tmp_path, folder, x):
    coming = transfer(store, tmp_path)
    coming.begin()
    assert coming.planes == 0 and coming.planes_of_model == 8
    for bits in range(1, 9):
        coming.fetch(bits)
        assert coming.planes == bits
        with pbatch.InferenceSession(coming.path, threads=1) as session:
            assert session.max_weight_bits == bits
        assert (exactly(coming.path, x, bits) == exactly(str(folder / "net.pbatch.onnx"), x, bits)).all()
    whole = (tmp_path / "net.pbatch.safetensors").read_bytes()
    assert data_of(coming).read_bytes() == whole


def test_a_file_url_is_as_good(store, tmp_path):
    coming = Transfer(f"file://{tmp_path}/net.pbatch.onnx", tmp_path / "cache")
    coming.begin()
    coming.fetch(16)
    assert coming.planes == 8


def test_it_goes_on_where_it_broke(store, tmp_path):
    first = transfer(store, tmp_path)
    first.begin()
    store.cut = 300  # below the first range that is asked for: every one breaks, until they are small
    first.fetch(3)
    first.close()
    store.cut, store.sent = None, 0
    left = len((tmp_path / "net.pbatch.safetensors").read_bytes()) - data_of(first).stat().st_size
    second = transfer(store, tmp_path)
    second.begin()
    assert second.planes == 3
    second.fetch(8)
    assert store.sent == len(second._header) + left


def test_a_store_that_is_gone_is_an_error_after_some_attempts(store, tmp_path):
    coming = transfer(store, tmp_path)
    coming.begin()
    store.cut = 0
    with pytest.raises(IoError, match="does not come"):
        coming.fetch(1, attempts=3)
    store.cut = None
    coming.fetch(8)
    assert coming.planes == 8


def flipped(name, at, times):
    """Changes the byte at a place of the file, so many times."""
    left = [times]

    def change(path, begin, data):
        if path == name and begin <= at < begin + len(data) and left[0]:
            left[0] -= 1
            changed = bytearray(data)
            changed[at - begin] ^= 1
            return bytes(changed)
        return data

    return change


def test_a_plane_that_fails_its_checksum_does_not_count(store, tmp_path):
    coming = transfer(store, tmp_path)
    coming.begin()
    plane = next(t for t in coming._tensors if t.plane == 2)
    store.change = flipped("net.pbatch.safetensors", plane.begin + 5, 3)
    with pytest.raises(IoError, match="fails its checksum"):
        coming.fetch(8, attempts=3)
    assert coming.planes == 2
    coming.fetch(8)
    assert coming.planes == 8
    whole = (tmp_path / "net.pbatch.safetensors").read_bytes()
    assert data_of(coming).read_bytes() == whole


def test_what_was_damaged_or_cut_in_the_cache_comes_again(store, tmp_path):
    first = transfer(store, tmp_path)
    first.begin()
    first.fetch(5)
    first.close()
    data = data_of(first)
    plane = next(t for t in first._tensors if t.plane == 2)
    damaged = bytearray(data.read_bytes())
    damaged[plane.begin + 1] ^= 4
    data.write_bytes(damaged)
    second = transfer(store, tmp_path)
    second.begin()
    assert second.planes == 2
    second.fetch(6)
    with open(data, "r+b") as file:
        file.truncate(100)
    second.fetch(8)
    assert data.read_bytes() == (tmp_path / "net.pbatch.safetensors").read_bytes()


def test_a_model_that_is_replaced_meanwhile_is_told(store, tmp_path, folder):
    coming = transfer(store, tmp_path)
    coming.begin()
    coming.fetch(2)
    pbatch.quantize(str(folder / "net.onnx"), str(tmp_path / "net.pbatch.onnx"), group=0)
    with pytest.raises(MalformedError, match="was replaced"):
        coming.fetch(8)
    again = transfer(store, tmp_path)
    again.begin()
    again.fetch(8)
    assert again.planes == 8 and not coming.folder.exists()


def test_two_processes_fetch_it_once(store, tmp_path):
    size = (tmp_path / "net.pbatch.safetensors").stat().st_size
    both = [transfer(store, tmp_path) for _ in range(2)]
    for one in both:
        one.begin()
    store.sent = 0
    threads = [threading.Thread(target=one.fetch, args=(8,)) for one in both]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [one.planes for one in both] == [8, 8]
    assert store.sent == size - len(both[0]._header)


def test_what_cannot_be_served_from_is_one_clear_line(store, tmp_path, folder):
    for url, kind, says in (
        (store.url + ".gz", UnsupportedError, "does not end in .onnx"),
        ("nowhere://x/net.onnx", UnsupportedError, "cannot be read"),
        (store.url.replace("net.", "no."), NotFoundError, "no.pbatch.safetensors"),
    ):
        with pytest.raises(kind, match=says):
            Transfer(url, tmp_path / "cache", wait=0.001).begin()
    (tmp_path / "net.pbatch.safetensors").write_bytes(bytes(100))
    with pytest.raises(MalformedError, match="not the data file of a pbatch model"):
        transfer(store, tmp_path).begin()
    store.ranges = False
    with pytest.raises(IoError, match="does not send parts"):
        transfer(store, tmp_path).begin()
    store.ranges = True
    (tmp_path / "file").write_text("no folder")
    shutil.copy(folder / "net.pbatch.safetensors", tmp_path)
    with pytest.raises(IoError, match="cannot be written"):
        Transfer(store.url, tmp_path / "file" / "cache").begin()


def test_a_server_answers_early_and_widens(store, tmp_path, folder, x):
    pytest.importorskip("prometheus_client", reason="prometheus_client is not installed")
    from pbatch.serve._protocol import InferRequest, ProtocolError
    from pbatch.serve._server import Server

    held = threading.Event()
    coming = transfer(store, tmp_path)
    coming.begin()
    begins = [t.begin for t in coming._tensors if t.plane == 3]
    coming.close()

    def change(path, begin, data):
        if path.endswith(".safetensors") and begin >= begins[0]:
            held.wait(60)
        return data

    store.change = change
    config = config_of(
        [{"name": "net", "path": store.url, "floor": 2}], {"threads": 1, "cache": str(tmp_path / "cache")}
    )

    async def check():
        server = Server(config)
        await server.start()
        assert server.is_ready()
        while server.model("net").bits < 3:
            await asyncio.sleep(0.02)
        assert server.model_readiness("net") == {
            "name": "net", "ready": True, "bits": 3, "bits_of_model": 8
        }  # fmt: skip
        assert server.index()[0]["reason"] == "3 of 8 bits"

        async def ask(**parameters):
            answer = await server.infer("net", "", InferRequest({"x": x}, [], parameters))
            return answer.parameters["bits"], answer.outputs[0][1]

        whole = str(folder / "net.pbatch.onnx")
        bits, y = await ask()
        assert bits in (2, 3) and (y == exactly(whole, x, bits)).all()
        with pytest.raises(ProtocolError, match="3 of the model's 8 bits") as refused:
            await ask(bits=4)
        assert refused.value.status == 503
        with pytest.raises(ProtocolError, match="the model has 8") as refused:
            await ask(bits=9)
        assert refused.value.status == 400
        held.set()
        while server.model("net").bits < 8:
            await asyncio.sleep(0.02)
        assert server.index()[0]["reason"] == ""
        bits, y = await ask(bits=8)
        assert (y == exactly(whole, x, 8)).all()
        await server.close()

    asyncio.run(asyncio.wait_for(check(), 120))
