"""expected.py NAME: what the model NAME.onnx answers, by the text of docs/model-file.md alone. Writes NAME.txt:
the input, then an output for each width. The models are files of earlier programs and are not made anew."""

import json
import struct
import sys

import numpy as np

name = sys.argv[1]
data = open(name + ".safetensors", "rb").read()
length = struct.unpack("<Q", data[:8])[0]
header = json.loads(data[8:8 + length])
body = data[8 + length:]


def tensor(key):
    entry = header[key]
    begin, end = entry["data_offsets"]
    kind = {"F32": "<f4", "U8": "u1"}[entry["dtype"]]
    return np.frombuffer(body[begin:end], kind).reshape(entry["shape"])


ROWS, COLS, GROUP, PLANES = 20, 70, 32, 8
scale, codebook = tensor("layer/row_scale"), tensor("layer/codebook")
codes = tensor("layer/group_codes")
planes = [tensor(f"layer/plane{p}") for p in range(PLANES)]
bias = next(tensor(k) for k in header if k != "__metadata__" and not k.startswith("layer/"))


def bit(plane, r, c):
    row, col = r % 16, c % 32
    byte = plane[r // 16, c // 32, 16 * (row // 4) + 2 * (col // 4) + row % 4 // 2]
    return byte >> (row % 2 * 4 + col % 4) & 1


def weight(n, r, c):
    u = 0
    for plane in planes[:n]:
        u = 2 * u + int(bit(plane, r, c))
    q = codebook[min(n, len(codebook)) - 1][codes[r, c // GROUP]]
    return float(scale[r]) * float(q) * 2.0 ** -n * (2 * u - (2 ** n - 1))


x = np.float32(np.sin(np.arange(COLS) * 0.37) * 2)
with open(name + ".txt", "w") as out:
    print(*(repr(float(v)) for v in x), file=out)
    for n in range(1, PLANES + 1):
        w = np.array([[weight(n, r, c) for c in range(COLS)] for r in range(ROWS)])
        print(*(f"{v:.7g}" for v in w @ x.astype(float) + bias), file=out)
