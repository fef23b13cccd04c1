"""Tensors and requests of the Open Inference Protocol, version 2, as the HTTP and gRPC sides share
them: what a request asks for, checked, and the errors that the protocol names."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Datatypes of the protocol; pbatch has no strings, and BF16 has no numpy type.
DATATYPES: dict[str, np.dtype[Any]] = {
    "BOOL": np.dtype(np.bool_), "UINT8": np.dtype(np.uint8), "UINT16": np.dtype(np.uint16),
    "UINT32": np.dtype(np.uint32), "UINT64": np.dtype(np.uint64), "INT8": np.dtype(np.int8),
    "INT16": np.dtype(np.int16), "INT32": np.dtype(np.int32), "INT64": np.dtype(np.int64),
    "FP16": np.dtype(np.float16), "FP32": np.dtype(np.float32), "FP64": np.dtype(np.float64),
}  # fmt: skip
NAMES = {dtype: name for name, dtype in DATATYPES.items()}

MAX_RANK = 64


class ProtocolError(Exception):
    """A request that gets an error: an HTTP status, and one line."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status

    def __reduce__(self) -> tuple[Any, ...]:  # it passes from replica to proxy
        return ProtocolError, (self.status, str(self))


def bad(message: str) -> ProtocolError:
    return ProtocolError(400, message)


@dataclass
class InferRequest:
    """What a client asks for, decoded."""

    inputs: dict[str, NDArray[Any]]
    outputs: list[str]  #: names, in order; empty: all
    parameters: dict[str, Any] = field(default_factory=dict)
    id: str = ""
    binary: dict[str, bool] = field(default_factory=dict)  #: outputs wanted as bytes or not
    all_binary: bool = False


@dataclass
class InferResponse:
    outputs: list[tuple[str, NDArray[Any]]]
    parameters: dict[str, Any]


def check_shape(name: str, shape: Any) -> tuple[int, ...]:
    if not isinstance(shape, (list, tuple)) or len(shape) > MAX_RANK:
        raise bad(f"input '{name}' has no usable shape")
    for d in shape:
        if type(d) is not int or not 0 <= d < 1 << 40:
            raise bad(f"input '{name}' has a dimension {d!r}")
    return tuple(shape)


def check_datatype(name: str, datatype: Any) -> np.dtype[Any]:
    if datatype not in DATATYPES:
        raise bad(f"input '{name}' has datatype {datatype!r}; there are {', '.join(DATATYPES)}")
    return DATATYPES[datatype]


def from_bytes(
    name: str, datatype: Any, shape: Any, data: bytes | memoryview
) -> NDArray[Any]:
    """An array over the bytes. Nothing is allocated for what a shape only claims."""
    dtype, dims = check_datatype(name, datatype), check_shape(name, shape)
    wanted = math.prod(dims) * dtype.itemsize
    if len(data) != wanted:
        raise bad(
            f"input '{name}' of datatype {datatype} and shape {list(dims)} needs {wanted} bytes "
            f"but has {len(data)}"
        )
    return np.frombuffer(data, dtype).reshape(dims)


def from_values(name: str, datatype: Any, shape: Any, values: Any) -> NDArray[Any]:
    """An array of JSON's numbers, nested or flat."""
    dtype, dims = check_datatype(name, datatype), check_shape(name, shape)
    try:
        array = np.asarray(values)
    except ValueError:
        raise bad(f"the data of input '{name}' is ragged") from None
    if array.size != math.prod(dims):
        raise bad(
            f"input '{name}' of shape {list(dims)} needs {math.prod(dims)} values but has {array.size}"
        )
    if array.size and array.dtype.kind not in "biuf":
        raise bad(f"the data of input '{name}' is not of numbers")
    if array.size and dtype.kind in "iub":
        info = (0, 1) if dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
        if array.dtype.kind == "f" or array.min() < info[0] or array.max() > info[1]:
            raise bad(f"the data of input '{name}' does not fit {datatype}")
    return array.astype(dtype).reshape(dims)


def parameters_of(value: Any, where: str) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise bad(f"the parameters of {where} are no object")
    return value


def decode_http(body: bytes | memoryview, header_length: int | None) -> InferRequest:
    """A request of REST; with the binary extension JSON is only the first ``header_length`` bytes."""
    if header_length is not None and not 0 <= header_length <= len(body):
        raise bad(f"Inference-Header-Content-Length is {header_length} of {len(body)} bytes")
    head = bytes(body if header_length is None else body[:header_length])
    rest = memoryview(body)[len(head) :]
    try:
        said = json.loads(head)
    except (ValueError, RecursionError):
        raise bad("the request is no JSON") from None
    if not isinstance(said, dict) or not isinstance(said.get("inputs"), list):
        raise bad("the request has no list of inputs")
    request = InferRequest({}, [], parameters_of(said.get("parameters"), "the request"))
    request.id = str(said.get("id", ""))
    request.all_binary = request.parameters.pop("binary_data_output", False) is True
    at = 0
    for given in said["inputs"]:
        if not isinstance(given, dict) or not isinstance(given.get("name"), str):
            raise bad("an input has no name")
        name = given["name"]
        if name in request.inputs:
            raise bad(f"input '{name}' is given twice")
        size = parameters_of(given.get("parameters"), f"input '{name}'").get("binary_data_size")
        if size is None:
            if "data" not in given:
                raise bad(f"input '{name}' has no data")
            array = from_values(name, given.get("datatype"), given.get("shape"), given["data"])
        else:
            if type(size) is not int or not 0 <= size <= len(rest) - at:
                raise bad(f"input '{name}' claims {size!r} bytes and {len(rest) - at} are left")
            array = from_bytes(name, given.get("datatype"), given.get("shape"), rest[at : at + size])
            at += size
        request.inputs[name] = array
    if at != len(rest):
        raise bad(f"{len(rest) - at} bytes belong to no input")
    outputs = said.get("outputs")
    if outputs is not None and not isinstance(outputs, list):
        raise bad("the outputs are no list")
    for wanted in outputs or []:
        if not isinstance(wanted, dict) or not isinstance(wanted.get("name"), str):
            raise bad("an output has no name")
        request.outputs.append(wanted["name"])
        own = parameters_of(wanted.get("parameters"), "an output")
        request.binary[wanted["name"]] = own.get("binary_data", request.all_binary) is True
    return request


def encode_http(
    model: str, version: str, request: InferRequest, response: InferResponse
) -> tuple[bytes, int | None]:
    """The body, and how much of it is JSON if bytes follow."""
    outputs, chunks = [], []
    for name, array in response.outputs:
        entry: dict[str, Any] = {
            "name": name, "datatype": NAMES[array.dtype], "shape": list(array.shape)
        }  # fmt: skip
        if request.binary.get(name, request.all_binary):
            chunks.append(np.ascontiguousarray(array).tobytes())
            entry["parameters"] = {"binary_data_size": len(chunks[-1])}
        else:
            entry["data"] = array.ravel().tolist()
        outputs.append(entry)
    said: dict[str, Any] = {"model_name": model, "model_version": version, "outputs": outputs}
    if request.id:
        said["id"] = request.id
    if response.parameters:
        said["parameters"] = response.parameters
    head = json.dumps(said).encode()
    return (b"".join([head, *chunks]), len(head)) if chunks else (head, None)


def check_inputs(ports: Sequence[Any], inputs: Mapping[str, NDArray[Any]]) -> None:
    """Names, datatypes and shapes, against [(name, dtype, shape, optional)] of the model."""
    known = {port[0]: port for port in ports}
    for name, array in inputs.items():
        if name not in known:
            raise bad(f"the model has no input '{name}'; its inputs are {', '.join(known)}")
        _, dtype, shape, _ = known[name]
        if array.dtype != dtype:
            raise bad(f"input '{name}' is {NAMES[array.dtype]} but the model takes {NAMES[dtype]}")
        fits = shape is None or (
            len(shape) == array.ndim
            and all(w is None or w == d for w, d in zip(shape, array.shape, strict=True))
        )
        if not fits:
            wanted = [-1 if d is None else d for d in shape]
            raise bad(f"input '{name}' has shape {list(array.shape)} but the model takes {wanted}")
    lacking = [port[0] for port in ports if port[0] not in inputs and not port[3]]
    if lacking:
        raise bad(f"input '{lacking[0]}' is missing")
