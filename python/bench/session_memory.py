"""session_memory.py [package|plugin|onnxruntime] [--sessions N]: memory over sessions made and dropped.

Each session opens a policy of two layers of 64 x 64, runs once and is dropped; every second one opens the
quantized network. `package` is pbatch's own session, `plugin` one of onnxruntime with the plug-in, and
`onnxruntime` one without it, which tells what grows there anyway. Prints, after every tenth of the sessions,
the resident memory of the process and what of it malloc has handed out: the first grows by fragments, too.

    python python/bench/session_memory.py plugin --sessions 100000
"""

import argparse
import ctypes
import gc
import importlib.metadata
import pathlib
import resource
import tempfile

import numpy as np
from run_overhead import policy

import pbatch


def resident():
    """Bytes of the process that are in memory."""
    pages = int(pathlib.Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


class Mallinfo(ctypes.Structure):
    """struct mallinfo2 of glibc."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost".split()
    ]


def in_use():
    """Bytes that malloc has handed out."""
    mallinfo = ctypes.CDLL(None).mallinfo2
    mallinfo.restype = Mallinfo
    info = mallinfo()
    return info.uordblks + info.hblkhd


def of_package(float_path, path):
    def use(x, number):
        session = pbatch.InferenceSession(path if number % 2 else float_path, threads=1 + (number % 4 == 3))
        return session.run(None, {"x": x}, bits=1 + number % 8)

    return use


def of_onnxruntime(float_path, path, plugin):
    import onnxruntime

    import pbatch.ort

    onnxruntime.set_default_logger_severity(3)

    def use(x, number):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1 + (number % 4 == 3)
        if plugin:
            pbatch.ort.register(options)
        run = onnxruntime.RunOptions()
        run.add_run_config_entry("pbatch.bits", str(1 + number % 8))
        given = path if plugin and number % 2 else float_path
        return onnxruntime.InferenceSession(given, options).run(None, {"x": x}, run)

    return use


def version(name):
    try:
        return f"{name} {importlib.metadata.version(name)}"
    except importlib.metadata.PackageNotFoundError:
        return f"no {name}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("way", nargs="?", choices=["package", "plugin", "onnxruntime"], default="package")
    parser.add_argument("--sessions", type=int, default=100_000)
    chosen = parser.parse_args()
    print(f"{chosen.way}; {version('precisionbatching')}, {version('onnxruntime')}, {version('numpy')}")
    rng = np.random.default_rng(1)
    x = rng.standard_normal((1, 64)).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        float_path, path = f"{folder}/float.onnx", f"{folder}/planes.onnx"
        pathlib.Path(float_path).write_bytes(policy().SerializeToString())
        pbatch.quantize(float_path, path, scheme="plain")
        use = (
            of_package(float_path, path)
            if chosen.way == "package"
            else of_onnxruntime(float_path, path, chosen.way == "plugin")
        )
        wanted = {number: use(x, number) for number in range(8)}
        print("sessions  resident, KiB  in use, KiB")
        for number in range(chosen.sessions):
            (y,) = use(x, number)
            np.testing.assert_array_equal(y, wanted[number % 8][0])
            if (number + 1) % max(1, chosen.sessions // 10) == 0:
                gc.collect()
                print(f"{number + 1:8} {resident() // 1024:14} {in_use() / 1024:12.1f}", flush=True)


if __name__ == "__main__":
    main()
