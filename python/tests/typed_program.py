"""A program that mypy must find nothing wrong with, in strict mode. It is not run."""

import numpy as np

import pbatch


def work(x: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> float:
    report, model = pbatch.quantize("net.onnx", planes=6, exclude=["fc2"])
    names: list[str] = [layer.name for layer in report.layers if layer.sqnr_db[0] > 1]
    options = pbatch.SessionOptions()
    options.threads = 2
    options.pool = None
    with pbatch.InferenceSession(model, options, device="cpu") as session:
        shape: list[int | None] = session.get_inputs()[0].shape
        results = session.run(None, {"x": x}, bits=3, layers={names[0]: (4, 8)})
        binding: pbatch.IOBinding = session.io_binding()
        binding.bind_cpu_input("x", x)
        bits: int = session.plan(bits=3)[0].weight_bits
        try:
            session.prepare(bits=17)
        except pbatch.PrecisionUnavailableError as error:
            print(error.node, error.remedy, shape, bits)
        return float(results[0].sum())
