"""What a server serves and how, from arguments, a dictionary or a TOML file."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

from ..errors import InvalidArgumentError

T = TypeVar("T")


@dataclass(frozen=True)
class ModelConfig:
    """One model.

    Attributes:
        name: by which clients ask for it.
        path: of a pbatch model, or of a float network, which is quantized in memory; or the URL of a
            pbatch model's .onnx file, which answers when the planes of its floor have come.
        floor, ceiling: the least and the greatest width that the server chooses; ceiling 0: all.
        abits: bits of the activations.
        target_ms: what requests without a deadline shall take at most, in milliseconds.
        max_batch: items of a run at most.
        hold_s: how long a wider width must have done before it is taken again.
        shapes: of inputs with more free dimensions than the first, to measure times with.
        cascade: of requests that ask for one: "2:1.5,8", widths and the thresholds of all but the
            last.
        margin, center: of that cascade, as of pbatch.Cascade.
        load: whether it is loaded from the beginning.
    """

    name: str
    path: str
    floor: int = 2
    ceiling: int = 0
    abits: int = 16
    target_ms: float = 100.0
    max_batch: int = 16
    hold_s: float = 1.0
    shapes: Mapping[str, Sequence[int]] = field(default_factory=dict)
    cascade: str = ""
    margin: str = "top_two"
    center: float = 0.0
    load: bool = True


@dataclass(frozen=True)
class ServerConfig:
    """The server.

    Attributes:
        models: that it has.
        host, port: of REST, the metrics and the status page; grpc_port: 0 for no gRPC.
        tokens: bearer tokens, of which a request must bring one; empty: anybody.
        tls_certificate, tls_key: files in PEM, for HTTPS and for gRPC.
        max_body: bytes of a request at most.
        max_waiting: items that wait for one model at most; more are refused with 503.
        threads: of a run; 0: one per CPU.
        cache: folder for models that come by URL; "": pbatch/models of the user's cache.
        replicas: processes; max_replicas above it lets Ray start more when bits are used up.
    """

    models: tuple[ModelConfig, ...] = ()
    host: str = "127.0.0.1"
    port: int = 8000
    grpc_port: int = 8001
    tokens: tuple[str, ...] = ()
    tls_certificate: str = ""
    tls_key: str = ""
    max_body: int = 64 << 20
    max_waiting: int = 10_000
    threads: int = 0
    cache: str = ""
    replicas: int = 1
    max_replicas: int = 0


def default_cache() -> str:
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(base, "pbatch", "models")


def _build(kind: type[T], values: Mapping[str, Any], where: str) -> T:
    known = {f.name: f for f in fields(kind)}  # type: ignore[arg-type]
    for name, value in values.items():
        if name not in known:
            raise InvalidArgumentError(
                f"{where} has no setting '{name}'", remedy=f"there are {', '.join(known)}"
            )
        default = known[name].default
        if isinstance(default, (int, float, str)) and not isinstance(value, type(default)):
            if not (isinstance(default, float) and type(value) is int):
                raise InvalidArgumentError(
                    f"{where}: '{name}' is {value!r}", remedy=f"give a {type(default).__name__}"
                )
    try:
        return kind(**values)
    except TypeError as error:
        raise InvalidArgumentError(f"{where}: {error}", remedy="give its name and path") from None


def model_of(value: str | Mapping[str, Any]) -> ModelConfig:
    """A path, "NAME=PATH", or a dictionary of settings."""
    if isinstance(value, Mapping):
        model = _build(ModelConfig, value, "a model")
    else:
        name, equals, path = value.partition("=")
        if not equals or "://" in name:  # a query of a URL
            path, name = value, os.path.basename(value).removesuffix(".onnx").removesuffix(".pbatch")
        model = ModelConfig(name, path)
    if not model.name or "/" in model.name:
        raise InvalidArgumentError(f"'{model.name}' is no model's name", remedy="give NAME=PATH")
    if not 1 <= model.floor <= 16 or model.max_batch < 1 or model.target_ms <= 0:
        raise InvalidArgumentError(
            f"model '{model.name}' has a floor, batch or target that cannot be",
            remedy="give a floor of 1 to 16, a batch of 1 or more and a target above 0",
        )
    return model


def config_of(
    models: Sequence[str | Mapping[str, Any]] = (), settings: Mapping[str, Any] | None = None
) -> ServerConfig:
    """Of models and settings; ``settings["models"]`` come first."""
    given = dict(settings or {})
    all_models = tuple(model_of(m) for m in [*given.pop("models", []), *models])
    names = [m.name for m in all_models]
    for name in names:
        if names.count(name) > 1:
            raise InvalidArgumentError(f"two models are called '{name}'", remedy="give NAME=PATH")
    given["tokens"] = tuple(given.get("tokens", ()))
    config = _build(ServerConfig, {**given, "models": all_models}, "the server")
    if bool(config.tls_certificate) != bool(config.tls_key):
        raise InvalidArgumentError(
            "TLS takes a certificate and a key", remedy="give tls_certificate and tls_key"
        )
    return config


def read_config(path: str) -> dict[str, Any]:
    """The settings of a TOML file."""
    try:
        with open(path, "rb") as file:
            return tomllib.load(file)
    except tomllib.TOMLDecodeError as error:
        raise InvalidArgumentError(f"{path}: {error}", remedy="write TOML") from None
