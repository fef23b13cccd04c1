#!/usr/bin/python3
"""figures_test.py PART: recipes/figures on made-up results. Exit status 77: a package that the part
needs is missing. `tables` needs nothing but Python."""

import importlib
import json
import pathlib
import subprocess
import sys
import tempfile

RECIPES = pathlib.Path(__file__).resolve().parents[2] / "recipes"
sys.path[:0] = [str(RECIPES), str(RECIPES / "figures")]
sys.dont_write_bytecode = True
SKIPPED = 77


def need(*packages):
    for name in packages:
        try:
            importlib.import_module(name)
        except ImportError:
            print(f"skipped: the Python package {name} is missing")
            sys.exit(SKIPPED)


def check(condition, what):
    if not condition:
        sys.exit(f"figures_test.py: {what}")


def row(weight_bits, activation_bits, value, latency_us, **more):
    return {"weight_bits": weight_bits, "activation_bits": activation_bits, "value": value,
            "latency_us": latency_us, "speedup_vs_f32": 1000 / latency_us, "weight_bytes": 1e6,
            **more}


def document(scale=1.0):
    """A network whose value is null at 1 bit, as where a perplexity overflows."""
    return {"cpu": "A processor", "isa": "avx512", "threads": 1, "cores": 2, "pbatch_version": "0",
            "date": "a day", "command": "pbatch eval <net> --json -", "items": 5000,
            "layers": "4 × 4", "naive_int4": {"value": 0.25 * scale}, "results": [
                row(32, 32, 0.9 * scale, 1000.0), row(1, 8, None, 50.0),
                row(4, 8, 0.5 * scale, 80.0), row(4, 16, 0.6 * scale, 100.0),
                row(8, 8, 0.8 * scale, 200.0, baseline="onednn_int8")]}


def test_tables():
    import tables
    from tasks import ACCURACY, TASKS, ERROR
    head, rows = tables.case_table(ACCURACY, document())
    check(head == ["activations", "float", "int8", "int4", "w1", "w4"], head)
    check(rows == [["8 bits", "90.00 %", "80.00 %, 5.0×", "25.00 %", "–, 20.0×", "50.00 %, 12.5×"],
                   ["16 bits", "", "", "", "–", "60.00 %, 10.0×"]], rows)
    text = tables.report({"mnist": document()}, TASKS, {}, ())
    check("of 5,000 items" in text and "| 16 bits |  |  |  | – | 60.00 %, 10.0× |" in text, text)
    check("pbatch eval <net>\n" in text, "the command is missing, or ends in --json")

    # Geometric means: of 0.5 and 2 it is 1; what one network lacks has none.
    mean = tables.mean_document([document(1.0), document(4.0)], ERROR)
    values = {(r["weight_bits"], r["activation_bits"]): r["value"] for r in mean["results"][1:]}
    check(abs(values[4, 8] - 1.0) < 1e-12 and values[1, 8] is None, values)
    check(abs(mean["naive_int4"]["value"] - 0.5) < 1e-12, mean["naive_int4"])

    page = f"a\n{tables.BEGIN}\nold\n{tables.END}\nb"
    check(tables.rewrite(page, "new") == f"a\n{tables.BEGIN}\n\nnew\n{tables.END}\nb", "rewrite")
    check(tables.rewrite("no marks", "new") is None, "a page without marks")


def test_rounding():
    need("numpy", "onnx")
    import numpy as np
    import onnx
    import naive_int4
    weights = np.array([[7.0, -14.0, 1.1], [0.9, 3.2, -0.4]], np.float32)  # the scale is 2
    rounded = naive_int4.round_per_tensor(weights)
    check(np.array_equal(rounded, [[8, -14, 2], [0, 4, 0]]), rounded)
    zeros = np.zeros((2, 2), np.float32)
    check(np.array_equal(naive_int4.round_per_tensor(zeros), zeros), "zeros do not stay")

    # A ramp of 4096 numbers, one such matrix within a branch, and two that stay as they are.
    ramp = np.arange(4096, dtype=np.float32).reshape(64, 64) - 2048
    tensor = onnx.numpy_helper.from_array
    info = [onnx.helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, [1, 64]) for n in "xyz"]
    inner = onnx.helper.make_graph([onnx.helper.make_node("MatMul", ["x", "inner"], ["z"])], "branch",
                                   [], info[2:], [tensor(ramp, "inner")])
    nodes = [onnx.helper.make_node("Transpose", ["ramp"], ["moved"]),
             onnx.helper.make_node("MatMul", ["x", "moved"], ["a"]),
             onnx.helper.make_node("MatMul", ["a", "small"], ["b"]),
             onnx.helper.make_node("Add", ["b", "added"], ["y"]),
             onnx.helper.make_node("If", ["flag"], ["z"], then_branch=inner, else_branch=inner)]
    constants = {"ramp": ramp, "small": ramp[:63], "added": ramp, "flag": np.array(True)}
    model = onnx.helper.make_model(onnx.helper.make_graph(
        nodes, "net", info[:1], info[1:], [tensor(a, n) for n, a in constants.items()]))
    with tempfile.TemporaryDirectory() as folder:
        source, target = pathlib.Path(folder) / "a.onnx", pathlib.Path(folder) / "b.onnx"
        onnx.save(model, str(source))
        names = naive_int4.round_network(source, target)
        written = dict(naive_int4.constants(onnx.load(str(target))))
    check(sorted(names) == ["inner", "inner", "ramp"], names)
    for name in ("ramp", "inner"):
        array = onnx.numpy_helper.to_array(written[name])
        codes = array * (7 / 2048)
        check(sorted(set(np.rint(codes).astype(int).flat)) == list(range(-7, 8)), f"codes of {name}")
        check(np.abs(codes - np.rint(codes)).max() < 1e-5, f"{name} has values between codes")
        check(np.abs(array - ramp).max() <= 1024 / 7 + 1e-3, f"{name} is not the nearest code")
    for name in ("small", "added"):
        check(np.array_equal(onnx.numpy_helper.to_array(written[name]), constants[name]), name)


def figures(folder, *arguments):
    return subprocess.run([sys.executable, "-B", str(RECIPES / "figures"), "--out", str(folder),
                           *arguments], capture_output=True, text=True)


def test_redrawing():
    need("numpy", "onnx", "matplotlib")
    names = ["mnist", "g2p", "kws_DNN_S", "kws_DNN_M", "lm_lstm"]
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        for i, name in enumerate(names):
            (folder / f"{name}.json").write_text(json.dumps(document(1 + i)))
        done = figures(folder, "--from-json", "--tasks", "mnist,g2p,kws,lm_speed")
        check(done.returncode == 1 and "lacks the results of 9 networks" in done.stderr, done)
        pictures = sorted(path.stem for path in folder.glob("*.png"))
        check(pictures == ["figure", "g2p", "kws", "mnist"], pictures)
        check((folder / "mnist.png").read_bytes().startswith(b"\x89PNG"), "no PNG")
        html = (folder / "figure.html").read_text(encoding="utf-8")
        check(html.count("data:image/svg+xml;base64,") == 4, "pictures are missing")
        check("60.00 %" in html and "12.5×" in html and "&lt;net&gt;" in html, "numbers, or escaping")
        check("src='http" not in html and "href='http" not in html, "the page needs something else")

        whole = figures(folder, "--from-json", "--tasks", "mnist,g2p")
        check(whole.returncode == 0, whole)
        (folder / "mnist.json").write_text("[]")
        done = figures(folder, "--from-json", "--tasks", "mnist")
        check(done.returncode == 1 and "mnist.json: not a result file" in done.stderr, done)


def test_usage():
    need("numpy", "onnx")
    with tempfile.TemporaryDirectory() as folder:
        done = figures(folder, "--nets", folder, "--tasks", "nonsense")
        check(done.returncode == 2 and "no task 'nonsense'" in done.stderr, done)
        done = figures(folder, "--nets", folder, "--tasks", "snli")
        check(done.returncode == 1 and "recipes/snli.py makes it" in done.stderr, done)
        check("Traceback" not in done.stderr, done.stderr)


if __name__ == "__main__":
    parts = {name[5:]: function for name, function in globals().items() if name[:5] == "test_"}
    if len(sys.argv) != 2 or sys.argv[1] not in parts:
        sys.exit(f"usage: figures_test.py {'|'.join(parts)}")
    parts[sys.argv[1]]()
