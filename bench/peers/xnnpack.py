"""XNNPACK's products and convolutions, as contenders: built, checked, timed. The library is loaded at
run time (Debian: libxnnpack0); without it there are no such contenders.

Its int8 is static: inputs come quantized and outputs stay so, with one scale each, so what pbatch and
ONNX Runtime spend on rounding activations is not in its times.
"""

import ctypes
import ctypes.util

import numpy as np

import contender

EXTRA_BYTES = 16   # that it may read beyond an input
OK = 0
NAMES = ("xnnpack_f32", "xnnpack_qs8")


class Missing(Exception):
    """The library is not here, or does not run on this processor."""


def load():
    """libXNNPACK, initialized, and libpthreadpool."""
    paths = [ctypes.util.find_library(name) for name in ("XNNPACK", "pthreadpool")]
    if None in paths:
        raise Missing("libXNNPACK is not installed (Debian: libxnnpack0)")
    xnnpack, pool = (ctypes.CDLL(path) for path in paths)
    if xnnpack.xnn_initialize(None) != OK:
        raise Missing("libXNNPACK has no kernels for this processor")
    pool.pthreadpool_create.restype = ctypes.c_void_p
    return xnnpack, pool


def pad(array):
    """A copy that may be read beyond its end."""
    memory = np.zeros(array.nbytes + EXTRA_BYTES, np.int8)
    padded = memory[: array.nbytes].view(array.dtype).reshape(array.shape)
    padded[...] = array
    return padded


def pointer(array):
    return ctypes.c_void_p(array.ctypes.data)


class Library:
    """XNNPACK with a number of threads."""

    def __init__(self, threads):
        self.xnnpack, pool = load()
        self.pool = ctypes.c_void_p(pool.pthreadpool_create(ctypes.c_size_t(threads))
                                    if threads > 1 else None)

    def check(self, status, what):
        if status != OK:
            raise SystemExit(f"XNNPACK: {what}: status {status}")

    def make(self, function, *arguments):
        operator = ctypes.c_void_p()
        self.check(getattr(self.xnnpack, function)(*arguments, ctypes.c_uint32(0),
                                                   ctypes.byref(operator)), function)
        return operator

    def run(self, operator):
        self.check(self.xnnpack.xnn_run_operator(operator, self.pool), "run")

    def fully_connected(self, weights, x, y, scales):
        """Y = X W^T. `scales` of input, weights and output; null for floats."""
        rows, cols = weights.shape
        sizes = [ctypes.c_size_t(n) for n in (cols, rows, cols, rows)]
        kind = "f32" if scales is None else "qs8"
        operator = self.make(f"xnn_create_fully_connected_nc_{kind}", *sizes,
                             *quantization(scales), pointer(weights), None, *limits(scales))
        self.check(getattr(self.xnnpack, f"xnn_setup_fully_connected_nc_{kind}")(
            operator, ctypes.c_size_t(len(x)), pointer(x), pointer(y), self.pool), "setup")
        return operator

    def convolution(self, kernel, x, y, scales, shape):
        """Channels last; `kernel` [filters, height, width, channels of a group], `x` [1, H, W, C]."""
        top, left = (shape.dilation * (shape.kernel - 1) // 2,) * 2
        numbers = [top, left, top, left, shape.kernel, shape.kernel, shape.stride, shape.stride,
                   shape.dilation, shape.dilation, shape.groups]
        channels = [shape.channels // shape.groups, shape.filters // shape.groups, shape.channels,
                    shape.filters]
        kind = "f32" if scales is None else "qs8"
        operator = self.make(f"xnn_create_convolution2d_nhwc_{kind}",
                             *[ctypes.c_uint32(n) for n in numbers],
                             *[ctypes.c_size_t(n) for n in channels],
                             *quantization(scales), pointer(kernel), None, *limits(scales))
        self.check(getattr(self.xnnpack, f"xnn_setup_convolution2d_nhwc_{kind}")(
            operator, *[ctypes.c_size_t(n) for n in (1, shape.height, shape.width)], pointer(x),
            pointer(y), self.pool), "setup")
        return operator


def quantization(scales):
    """What stands before the weights: the input's zero and scale, the weights' scale."""
    if scales is None:
        return []
    return [ctypes.c_int8(0), ctypes.c_float(scales[0]), ctypes.c_float(scales[1])]


def limits(scales):
    """What stands behind them: the output's zero and scale, and its range."""
    if scales is None:
        return [ctypes.c_float(-np.inf), ctypes.c_float(np.inf)]
    return [ctypes.c_int8(0), ctypes.c_float(scales[2]), ctypes.c_int8(-128), ctypes.c_int8(127)]


def check_answer(name, y, exact, scales):
    """Floats: within rounding. int8: within one step of the exact sum."""
    error = np.abs(y * (1.0 if scales is None else scales[2]) - exact).max()
    allowed = np.abs(exact).max() * 1e-4 if scales is None else scales[2] * 1.01
    if not error <= allowed:
        raise SystemExit(f"{name} computes a wrong answer: {error:.2e} off")


class Contender(contender.Contender):
    """A fully connected product of one shape; cold, of as many equal matrices as fill COLD_BYTES."""

    def __init__(self, name, rows, cols, batch, threads, cold, call_us):
        rng = np.random.default_rng(rows * 31 + cols)
        self.library = Library(threads)
        self.name, self.bits = name, 32 if name == "xnnpack_f32" else 8
        scales = None
        if self.bits == 32:
            w = rng.standard_normal((rows, cols), dtype=np.float32)
            x = rng.standard_normal((batch, cols), dtype=np.float32)
        else:
            w = rng.integers(-127, 128, (rows, cols), dtype=np.int8)
            x = rng.integers(-127, 128, (batch, cols), dtype=np.int8)
        exact = x.astype(np.float64) @ w.T.astype(np.float64)
        if self.bits == 8:
            scales = (1.0, 1.0, float(np.abs(exact).max() / 127))
        self.bytes = w.nbytes
        super().__init__(threads, cold, call_us)
        self.x, self.y = pad(x), pad(np.zeros((batch, rows), w.dtype))
        # It packs the weights into memory of its own, so `w` need not stay.
        self.operators = [self.library.fully_connected(w, self.x, self.y, scales)
                          for _ in range(self.copies)]
        for operator in self.operators:
            self.y[...] = 0
            self.library.run(operator)
            check_answer(name, self.y, exact, scales)

    def run(self):
        for operator in self.operators:
            self.library.run(operator)


def tiny_call_us(threads, calls=2000):
    """What calling an operator from here costs when there is next to nothing to compute."""
    tiny = Contender("xnnpack_f32", 8, 8, 1, threads, False, 0.0)
    return min(tiny.time_us() for _ in range(calls))


def here():
    """Whether there is a library to load."""
    try:
        load()
    except Missing:
        return False
    return True
