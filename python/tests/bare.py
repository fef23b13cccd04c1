"""bare.py MODEL: the package with numpy and nothing else. Prints what it did; status 1: wrong."""

import importlib.metadata
import sys
import tempfile

import numpy as np

import pbatch


def main(path: str) -> None:
    installed = {d.metadata["Name"].lower() for d in importlib.metadata.distributions()}
    assert installed <= {"numpy", "precisionbatching", "pip", "setuptools"}, installed
    report, model = pbatch.quantize(path)
    print(report)
    session = pbatch.InferenceSession(model, threads=1)
    port = session.get_inputs()[0]
    x = np.random.default_rng(0).random([d or 1 for d in port.shape], np.float32)
    exact = pbatch.InferenceSession(path, threads=1).run(None, {port.name: x})[0]
    errors = []
    for bits in (1, 2, 4, 8):
        y = session.run(None, {port.name: x}, bits=bits)[0]
        errors.append(float(np.linalg.norm(y - exact) / np.linalg.norm(exact)))
    print(f"{pbatch.active_isa()}: error at 1, 2, 4, 8 bits: {errors}")
    assert errors[-1] < 0.02 and errors == sorted(errors, reverse=True)
    with tempfile.TemporaryDirectory() as folder:
        pbatch.quantize(path, f"{folder}/q.onnx")
        if pbatch.active_isa() != "generic":  # which runs under an emulator
            print(pbatch.sweep(f"{folder}/q.onnx", bits=[2, 8], seconds=0))
    try:
        pbatch.InferenceSession("no_such.onnx")
    except pbatch.NotFoundError as error:
        print(error)


main(sys.argv[1])
