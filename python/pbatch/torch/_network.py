"""Network: a model of bit-layers that modules share, and its session."""

from __future__ import annotations

import hashlib
import threading
import weakref
from typing import Any

import torch

from .._core import Model, SessionOptions, ThreadPool
from .._session import InferenceSession

_lock = threading.RLock()
_pool: ThreadPool | None = None


def _shared_pool() -> ThreadPool:
    """One pool for all modules, of as many threads as torch has when the first one runs."""
    global _pool
    with _lock:
        if _pool is None:
            _pool = ThreadPool(threads=torch.get_num_threads())
        return _pool


class Network:
    """A model and, from its first run on, a session. Never changes; copies are the same object.

    Use Network.of(): networks of the same bytes are one.
    """

    _all: weakref.WeakValueDictionary[bytes, Network] = weakref.WeakValueDictionary()

    def __init__(self, model: Model) -> None:
        self.model = model
        self._session: InferenceSession | None = None

    @classmethod
    def of(cls, model: Model) -> Network:
        """The network of this model; the one that is there already if it has the same bytes."""
        digest = hashlib.sha256(model.onnx)
        digest.update(model.safetensors)
        with _lock:
            return cls._all.setdefault(digest.digest(), cls(model))

    @property
    def session(self) -> InferenceSession:
        """Opened at the first use."""
        if self._session is None:
            with _lock:
                if self._session is None:
                    options = SessionOptions()
                    options.pool = _shared_pool()
                    self._session = InferenceSession(self.model, options)
        return self._session

    def __reduce__(self) -> tuple[Any, ...]:
        return Network.of, (self.model,)

    def __deepcopy__(self, memo: dict[int, Any]) -> Network:
        return self
