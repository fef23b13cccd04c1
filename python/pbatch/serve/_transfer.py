"""A model at a URL comes plane by plane: the graph and the scales first, then the planes of all layers in
the order of their significance, which is how its data file lies. Each tensor is checked against the
checksum in the file's header before it counts, and what has come stays on the disk."""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
import pathlib
import re
import shutil
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..errors import Error, IoError, MalformedError, NotFoundError, UnsupportedError

LOG = logging.getLogger("pbatch.serve")
CHUNK, LEAST_CHUNK = 4 << 20, 64 << 10  #: bytes of a request to the store; halved where one breaks
MAX_HEADER = 100 << 20
SILENCE_SECONDS = 30  #: after which a store that sends nothing is given up and asked again
FIRST_WAIT, LONGEST_WAIT = 0.5, 30.0  #: seconds between attempts
_PLANE = re.compile(r"/plane(\d+)$")


def is_url(path: str) -> bool:
    return "://" in path


@dataclass(frozen=True)
class _Tensor:
    name: str
    begin: int  # from the start of the file
    end: int
    checksum: str
    plane: int  # -1: every width needs it


class Transfer:
    """One model on its way into a folder of the cache. Several processes may fetch one model: whoever
    holds the folder's lock writes, the others read what has come. Not for several threads."""

    def __init__(self, url: str, cache: str | os.PathLike[str], wait: float = FIRST_WAIT) -> None:
        """Raises UnsupportedError without fsspec or what the kind of URL needs besides, and for URLs that
        do not end in .onnx."""
        if not url.endswith(".onnx"):
            raise UnsupportedError(
                f"'{url}' does not end in .onnx", remedy="give the URL of a pbatch model's .onnx file"
            )
        self.url = url
        self._cache = pathlib.Path(cache)
        self._wait = wait
        self._fs, self._model = _file_system(url)
        self._data = self._model.removesuffix(".onnx") + ".safetensors"
        self._tensors: list[_Tensor] = []
        self._header = b""
        self._chunk = CHUNK
        self._came = 0  # bytes
        self._good = 0  # tensors that are there and fit their checksums
        self._lock: Any = None
        self.folder = self._cache

    @property
    def path(self) -> str:
        """Of the model in the cache."""
        return str(self.folder / pathlib.PurePosixPath(self._model).name)

    @property
    def _data_path(self) -> pathlib.Path:
        return self.folder / pathlib.PurePosixPath(self._data).name

    @property
    def planes_of_model(self) -> int:
        return 1 + max((t.plane for t in self._tensors), default=-1)

    @property
    def planes(self) -> int:
        """Planes that all layers have by now, of those that have so many at all."""
        if self._good == len(self._tensors):
            return self.planes_of_model
        return max(0, self._tensors[self._good].plane)

    def begin(self) -> None:
        """Fetches the graph and the header of the data file, and looks how much of the model is there
        already. Tries again a few times; raises NotFoundError, IoError or MalformedError."""
        self._header = self._attempt(self._fetch_header, 5)
        self._tensors = _tensors(self._header, self._data)
        of_url = hashlib.sha256(self.url.encode()).hexdigest()[:16]
        self.folder = self._cache / f"{of_url}-{hashlib.sha256(self._header).hexdigest()[:16]}"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            for other in self._cache.glob(f"{of_url}-*"):
                if other != self.folder:  # sessions that read from it hold its files open
                    shutil.rmtree(other, ignore_errors=True)
            self._lock = open(self.folder / "lock", "wb")
            if not os.path.exists(self.path):
                model = self._attempt(lambda: self._asked(self._model), 5)
                unfinished = f"{self.path}.{os.getpid()}"
                pathlib.Path(unfinished).write_bytes(model)
                os.replace(unfinished, self.path)
        except OSError as error:
            raise IoError(
                f"the cache '{self._cache}' cannot be written: {error.strerror or error}",
                remedy="make room, or name another folder with 'cache'",
            ) from None
        self._check_what_is_there()

    def fetch(self, planes: int, stopped: Callable[[], bool] = lambda: False, attempts: int = 0) -> None:
        """Until so many planes are there, or all. Goes on after what breaks, with waits between, so
        many times without a byte in between; 0: for ever. Raises MalformedError where the store
        holds other bytes than the header says, IoError after the last attempt."""

        def steps() -> None:
            while self.planes < min(planes, self.planes_of_model) and not stopped():
                self._step()

        self._attempt(steps, attempts, stopped)

    # The parts

    def _attempt(
        self, work: Callable[[], Any], attempts: int, stopped: Callable[[], bool] = lambda: False
    ) -> Any:
        wait, done, came = self._wait, 0, self._came
        while True:
            try:
                return work()
            except Error:
                raise
            except Exception as error:  # each kind of store has errors of its own
                if self._came > came:
                    wait, done, came = self._wait, 0, self._came
                done += 1
                said = f"{type(error).__name__}: {error}".strip(": ")
                if done == attempts:
                    raise IoError(f"'{self.url}' does not come: {said}", remedy="try again") from None
                LOG.warning("a transfer broke", extra={"url": self.url, "error": said,
                                                       "planes": self.planes})  # fmt: skip
                until = time.monotonic() + wait
                while time.monotonic() < until and not stopped():
                    time.sleep(0.05)
                if stopped():
                    return None
                wait = min(2 * wait, LONGEST_WAIT)

    def _asked(self, path: str, **part: int) -> bytes:
        try:
            return bytes(self._fs.cat_file(path, **part))
        except FileNotFoundError:
            raise NotFoundError(
                f"there is no '{path}'", remedy=f"check the URL '{self.url}'; it takes a pbatch model"
            ) from None

    def _range(self, begin: int, end: int) -> bytes:
        """At least one byte of them, from the first on."""
        tried = self._chunk
        size = min(tried, end - begin)
        self._chunk = max(tried // 2, LEAST_CHUNK)
        got = self._asked(self._data, start=begin, end=begin + size)
        if len(got) > size:
            raise OSError("the store does not send parts of a file")
        if not got:
            raise OSError("the store sent nothing")
        self._chunk = min(2 * tried, CHUNK)
        return got

    def _fetch_header(self) -> bytes:
        start = self._range(0, 8)
        if len(start) < 8:
            raise OSError("the store sent fewer than 8 bytes")
        length = int.from_bytes(start, "little")
        if length > MAX_HEADER:
            raise MalformedError(f"'{self._data}' is no safetensors file", remedy="check the URL")
        while len(start) < 8 + length:
            start += self._range(len(start), 8 + length)
        return start

    def _check_what_is_there(self) -> None:
        """Follows the file as another process writes it, and after a stop."""
        try:
            with open(self._data_path, "rb") as file:
                if self._good == 0 and file.read(len(self._header)) != self._header:
                    return
                size = os.fstat(file.fileno()).st_size
                for tensor in self._tensors[self._good :]:
                    if tensor.end > size or _checksum(file, tensor) != tensor.checksum:
                        return
                    self._good += 1
        except FileNotFoundError:
            pass

    def _step(self) -> None:
        """One piece more, if nobody else fetches it."""
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.2)
            self._check_what_is_there()
            return
        try:
            self._check_what_is_there()
            if self._good < len(self._tensors):
                self._fetch_piece()
        finally:
            fcntl.flock(self._lock, fcntl.LOCK_UN)

    def _fetch_piece(self) -> None:
        with open(self._data_path, "ab+") as file:
            file.seek(0)
            if file.read(len(self._header)) != self._header:  # new, or no longer what it was
                self._good = 0
                file.truncate(0)
                file.write(self._header)
                return
            size = file.seek(0, os.SEEK_END)
            if size < self._tensors[self._good].begin:  # another program has cut it
                self._good = 0
                return
            if size < self._tensors[-1].end:
                came = file.write(self._range(size, self._tensors[-1].end))
                self._came += came
                size += came
        self._check_what_is_there()
        if self._good == len(self._tensors) or size < self._tensors[self._good].end:
            return
        tensor = self._tensors[self._good]
        os.truncate(self._data_path, tensor.begin)
        self._came -= size - tensor.begin
        if self._fetch_header() != self._header:
            raise MalformedError(
                f"the model at '{self.url}' was replaced while it came", remedy="load it again"
            )
        raise OSError(f"tensor '{tensor.name}' fails its checksum")

    def close(self) -> None:
        if self._lock is not None:
            self._lock.close()


def _checksum(file: Any, tensor: _Tensor) -> str:
    file.seek(tensor.begin)
    crc, left = 0, tensor.end - tensor.begin
    while left > 0 and (piece := file.read(min(left, CHUNK))):
        crc = zlib.crc32(piece, crc)
        left -= len(piece)
    return f"{crc:08x}" if left == 0 else ""


def _tensors(header: bytes, path: str) -> list[_Tensor]:
    """Those of the data file, in its order, if they lie without gaps."""
    try:
        said = json.loads(header[8:])
        checksums = said.pop("__metadata__")
        if "pbatch.model_id" not in checksums:
            raise KeyError
        tensors = []
        for name, entry in said.items():
            plane = _PLANE.search(name) if entry["dtype"] == "U8" else None
            begin, end = (len(header) + int(at) for at in entry["data_offsets"])
            tensors.append(_Tensor(name, begin, end, checksums[f"crc32/{name}"],
                                   int(plane[1]) if plane else -1))  # fmt: skip
        tensors.sort(key=lambda t: (t.begin, t.end))
        at, level = len(header), -1
        for tensor in tensors:
            if tensor.begin != at or tensor.end < at or tensor.plane < level:
                raise ValueError
            at, level = tensor.end, tensor.plane
    except (ValueError, KeyError, TypeError, AttributeError):
        raise MalformedError(
            f"'{path}' is not the data file of a pbatch model", remedy="make it with 'pbatch quantize'"
        ) from None
    return tensors


def _file_system(url: str) -> tuple[Any, str]:
    try:
        import fsspec

        options: dict[str, Any] = {}
        if url.startswith(("http://", "https://")):
            import aiohttp

            silence = aiohttp.ClientTimeout(
                total=None, sock_connect=SILENCE_SECONDS, sock_read=SILENCE_SECONDS
            )
            options = {"client_kwargs": {"timeout": silence}, "skip_instance_cache": True}
        found: tuple[Any, str] = fsspec.core.url_to_fs(url, **options)
        return found
    except (ImportError, ValueError) as error:
        raise UnsupportedError(
            f"'{url}' cannot be read: {error}", remedy="install what fsspec needs for this kind of URL"
        ) from None
