"""The ways to say which network."""

from __future__ import annotations

import os
from typing import Any, TypeAlias

from ._core import Model
from .errors import InvalidArgumentError

#: A path, the bytes of an .onnx file, an onnx.ModelProto, or a model in memory.
ModelLike: TypeAlias = "str | os.PathLike[str] | bytes | bytearray | memoryview | Model | Any"


def settle(model: ModelLike) -> str | bytes | Model:
    """A path, bytes or a Model. Raises InvalidArgumentError for anything else."""
    if isinstance(model, Model):
        return model
    if isinstance(model, (bytes, bytearray, memoryview)):
        return bytes(model)
    if isinstance(model, (str, os.PathLike)):
        return path_of(model)
    if hasattr(model, "SerializeToString"):
        try:
            return bytes(model.SerializeToString())
        except Exception as error:
            raise InvalidArgumentError(
                f"the ModelProto cannot be turned into bytes: {error}",
                remedy="save it with external data, and give the path",
            ) from error
    raise InvalidArgumentError(
        f"a {type(model).__name__} is no network",
        remedy="give a path, the bytes of an .onnx file, an onnx.ModelProto or a pbatch.Model",
    )


def path_of(path: str | os.PathLike[str]) -> str:
    """The path as the library takes it."""
    text = os.fspath(path)
    if "\0" in text:
        raise InvalidArgumentError("the path has a zero byte in it", remedy="give another")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidArgumentError("the path is not UTF-8", remedy="rename the file") from None
    return text
