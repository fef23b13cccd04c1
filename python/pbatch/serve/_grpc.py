"""gRPC of the Open Inference Protocol. Messages are made from open_inference.proto at run time, in a
pool of their own, so that a client of the protocol may live in the same process."""

from __future__ import annotations

import importlib.resources
from typing import Any

import grpc
import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from ._guard import is_allowed, settings
from ._protocol import (
    NAMES,
    InferRequest,
    InferResponse,
    ProtocolError,
    bad,
    from_bytes,
    from_values,
)
from ._retry import retrying
from ._server import Server

SERVICE = "inference.GRPCInferenceService"
INFER = f"/{SERVICE}/ModelInfer"
CODES = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    404: grpc.StatusCode.NOT_FOUND,
    413: grpc.StatusCode.RESOURCE_EXHAUSTED,
    500: grpc.StatusCode.INTERNAL,
    503: grpc.StatusCode.UNAVAILABLE,
    504: grpc.StatusCode.DEADLINE_EXCEEDED,
}
CONTENTS = {
    "BOOL": "bool_contents", "UINT8": "uint_contents", "UINT16": "uint_contents",
    "UINT32": "uint_contents", "UINT64": "uint64_contents", "INT8": "int_contents",
    "INT16": "int_contents", "INT32": "int_contents", "INT64": "int64_contents",
    "FP32": "fp32_contents", "FP64": "fp64_contents",
}  # fmt: skip


def _load() -> tuple[dict[str, Any], list[str]]:
    data = importlib.resources.files(__package__).joinpath("open_inference.desc").read_bytes()
    files = descriptor_pb2.FileDescriptorSet.FromString(data)
    pool = descriptor_pool.DescriptorPool()
    for file in files.file:
        pool.Add(file)
    messages = {
        m.name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"inference.{m.name}"))
        for m in files.file[0].message_type
    }
    return messages, [method.name for method in files.file[0].service[0].method]


MESSAGES, METHODS = _load()


def add_to_server(servicer: Any, server: Any) -> None:
    """For Ray's list of ``grpc_servicer_functions``: requests and responses pass as bytes, and a
    request without a token is refused before its message is read."""
    said = settings()
    handlers = {
        f"/{SERVICE}/{name}": grpc.unary_unary_rpc_method_handler(
            getattr(servicer, name), request_deserializer=None, response_serializer=None
        )
        for name in METHODS
    }
    server.add_generic_rpc_handlers((_Guarded(handlers, tuple(said.get("tokens", ()))),))


class _Guarded(grpc.GenericRpcHandler):  # type: ignore[misc]
    def __init__(self, handlers: dict[str, Any], tokens: tuple[str, ...]) -> None:
        self._method_handlers = handlers  # which Ray replaces by its own
        self._tokens = tokens

    def service(self, details: Any) -> Any:
        handler = self._method_handlers.get(details.method)
        if handler is None:
            return None
        if self._tokens:
            metadata = {k.lower(): v for k, v in details.invocation_metadata or ()}
            if not is_allowed(str(metadata.get("authorization", "")), self._tokens):
                # A handler of streams is called before the first message is read.
                return grpc.stream_unary_rpc_method_handler(_refuse)
        if details.method != INFER:
            return handler
        return grpc.unary_unary_rpc_method_handler(retrying(handler.unary_unary))


async def _refuse(requests: Any, context: Any) -> Any:
    await context.abort(grpc.StatusCode.UNAUTHENTICATED, "a bearer token is needed")


def parameters_of(given: Any) -> dict[str, Any]:
    said = {}
    for name, parameter in given.items():
        choice = parameter.WhichOneof("parameter_choice")
        if choice is not None:
            said[name] = getattr(parameter, choice)
    return said


def decode(message: Any) -> InferRequest:
    raw = message.raw_input_contents
    if raw and len(raw) != len(message.inputs):
        raise bad(f"{len(raw)} raw_input_contents for {len(message.inputs)} inputs")
    request = InferRequest({}, [o.name for o in message.outputs], parameters_of(message.parameters))
    request.id = message.id
    for i, tensor in enumerate(message.inputs):
        if tensor.name in request.inputs:
            raise bad(f"input '{tensor.name}' is given twice")
        shape = list(tensor.shape)
        if raw:
            array = from_bytes(tensor.name, tensor.datatype, shape, raw[i])
        elif tensor.datatype not in CONTENTS:
            raise bad(f"input '{tensor.name}' of {tensor.datatype!r} has no raw contents")
        else:
            values = list(getattr(tensor.contents, CONTENTS[tensor.datatype]))
            array = from_values(tensor.name, tensor.datatype, shape, values)
        request.inputs[tensor.name] = array
    return request


def encode(name: str, version: str, request: InferRequest, answer: InferResponse) -> Any:
    message = MESSAGES["ModelInferResponse"](
        model_name=name, model_version=version or "1", id=request.id
    )
    for key, value in answer.parameters.items():
        kind = "int64_param" if isinstance(value, int) else (
            "double_param" if isinstance(value, float) else "string_param")  # fmt: skip
        setattr(message.parameters[key], kind, value)
    for output, array in answer.outputs:
        message.outputs.add(name=output, datatype=NAMES[array.dtype], shape=array.shape)
        message.raw_output_contents.append(np.ascontiguousarray(array).tobytes())
    return message


class Rpc:
    """The service over a Server: ``call`` takes the bytes of a request."""

    def __init__(self, server: Server) -> None:
        self._server = server

    async def call(self, method: str, data: bytes) -> Any:
        """The response's message. Raises ProtocolError."""
        if len(data) > self._server.config.max_body:
            raise ProtocolError(413, f"a request has {self._server.config.max_body} bytes at most")
        try:
            message = MESSAGES[f"{method}Request"].FromString(data)
        except Exception:  # DecodeError of whichever implementation of protobuf
            raise bad("the request is no message of the protocol") from None
        answer = MESSAGES[f"{method}Response"]
        server = self._server
        if method == "ServerLive":
            return answer(live=True)
        if method == "ServerReady":
            return answer(ready=server.is_ready())
        if method == "ServerMetadata":
            return answer(**server.metadata())
        if method == "ModelReady":
            return answer(ready=server.entry(message.name).model is not None)
        if method == "ModelMetadata":
            return answer(**server.model_metadata(message.name, message.version))
        if method == "ModelInfer":
            await server.present(message.model_name, message.model_version)
            request = decode(message)
            made = await server.infer(message.model_name, message.model_version, request)
            return encode(message.model_name, message.model_version, request, made)
        if method == "RepositoryIndex":
            return answer(models=server.index(message.ready))
        if method == "RepositoryModelLoad":
            await server.load(message.model_name)
        else:
            await server.unload(message.model_name)
        return answer()
