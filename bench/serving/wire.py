"""What the programs here send: binary requests of the Open Inference Protocol."""

import json
import socket

from pbatch.serve._http import HEADER_LENGTH as HEAD
from pbatch.serve._protocol import NAMES


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def request_of(arrays, **parameters):
    """The body and the headers that ask for the outputs of {name: array}."""
    data = [array.tobytes() for array in arrays.values()]
    inputs = [
        {"name": name, "datatype": NAMES[array.dtype], "shape": array.shape,
         "parameters": {"binary_data_size": len(bytes_)}}
        for (name, array), bytes_ in zip(arrays.items(), data, strict=True)
    ]  # fmt: skip
    asked = {"inputs": inputs, "parameters": {"binary_data_output": True, **parameters}}
    head = json.dumps(asked).encode()
    headers = {HEAD: str(len(head)), "Content-Type": "application/octet-stream"}
    return head + b"".join(data), headers
