#!/usr/bin/env python3
"""Times pbatch, ONNX Runtime and, where its library is installed, XNNPACK on the same matrices, in turns:
a round of `pbatch bench`, a round of the others, and again. Every answer is checked before anything is timed. See docs/benchmarking.md.

    python3 -m venv VENV && VENV/bin/pip install -r bench/peers/requirements.txt
    VENV/bin/python bench/peers/run.py --gemv 4096x4096 --threads 1,2 --json peers.json
"""

import argparse
import json
import pathlib
import shlex
import subprocess
import sys
import tempfile

BENCH = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(BENCH))
import results  # noqa: E402

try:
    import ort
    import xnnpack
    from contender import TooSmall
except ImportError as missing:
    sys.exit(f"run.py: {missing.name} is missing; make a virtual environment and install "
             f"{BENCH / 'peers' / 'requirements.txt'} there")

ROUND_TURNS = 5     # every contender's turns in a round


def parse_shapes(text):
    shapes = []
    for part in text.split(","):
        rows, x, cols = part.partition("x")
        if not x or not rows.isdigit() or not cols.isdigit() or 0 in (int(rows), int(cols)):
            raise argparse.ArgumentTypeError(f"'{part}' is not ROWSxCOLS, e.g. 4096x4096")
        shapes.append((int(rows), int(cols)))
    return shapes


def parse_counts(text):
    if not all(part.isdigit() and int(part) > 0 for part in text.split(",")):
        raise argparse.ArgumentTypeError(f"'{text}' is not a list of counts, e.g. 1,2")
    return [int(part) for part in text.split(",")]


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--gemv", type=parse_shapes, required=True, metavar="ROWSxCOLS,...")
    parser.add_argument("--bits", default="1:8", help="of pbatch's weights")
    parser.add_argument("--abits", default="8", help="of pbatch's activations")
    parser.add_argument("--batch", type=parse_counts, default=[1])
    parser.add_argument("--threads", type=parse_counts, default=[1])
    parser.add_argument("--group", default="64", help="columns per scale of pbatch's weights")
    parser.add_argument("--cold", action="store_true", help="weights from memory")
    parser.add_argument("--seconds", type=float, default=0.5, help="of timed work per row, about")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pbatch", default=str(BENCH.parent / "build" / "release" / "cli" / "pbatch"))
    parser.add_argument("--json", required=True, metavar="FILE")
    arguments = parser.parse_args()
    if arguments.rounds < 1 or arguments.seconds < 0:
        parser.error("--rounds must be at least 1, --seconds not negative")
    return arguments


def run_pbatch(arguments, shape, threads):
    """One round of `pbatch bench`: its result file."""
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "out.json"
        command = [arguments.pbatch, "bench", "--gemv", f"{shape[0]}x{shape[1]}",
                   "--bits", arguments.bits, "--abits", arguments.abits,
                   "--batch", ",".join(map(str, arguments.batch)), "--threads", str(threads),
                   "--group", arguments.group,
                   "--seconds", str(arguments.seconds / arguments.rounds), "--json", str(out)]
        if arguments.cold:
            command.append("--cold")
        try:
            done = subprocess.run(command, stdout=subprocess.DEVNULL)
        except OSError as error:
            sys.exit(f"run.py: {arguments.pbatch}: {error.strerror}; build it or name it by --pbatch")
        if done.returncode != 0:
            sys.exit(f"run.py: {shlex.join(command)} failed")
        return results.read(out)


def peers():
    """Modules of contenders: NAMES, Contender, tiny_call_us()."""
    return [ort, xnnpack] if xnnpack.here() else [ort]


def make_contenders(arguments, shape, threads, call_us):
    contenders = []
    for batch in arguments.batch:
        for peer in peers():
            for name in peer.NAMES:
                try:
                    contenders.append((batch, peer.Contender(name, *shape, batch, threads,
                                                             arguments.cold, call_us[peer])))
                except TooSmall as reason:
                    print(f"left out: {name}, {reason}", file=sys.stderr)
    return contenders


def run_peers(arguments, shape, threads, contenders):
    """One round of the others: rows as `pbatch bench` writes them."""
    for _ in range(ROUND_TURNS):
        for _, contender in contenders:
            contender.take_turn(arguments.seconds / arguments.rounds / ROUND_TURNS)
    rows = []
    for batch, contender in contenders:
        low, median = contender.take_result()
        rows.append({"rows": shape[0], "cols": shape[1], "batch": batch, "threads": threads,
                     "cold": arguments.cold, "kernel": contender.name,
                     "weight_bits": contender.bits,
                     "activation_bits": max(8, contender.bits), "min_us": low,
                     "median_us": median, "gbps": contender.bytes / median / 1e3,
                     "gmacs": shape[0] * shape[1] * batch / median / 1e3, "share_of_read": None})
    return rows


def print_table(document):
    print(f"{'matrix':>12}{'batch':>7}{'threads':>9}  {'kernel':<22}{'bits':>6}"
          f"{'median us':>12}{'min us':>12}")
    for r in document["results"]:
        shape, bits = f"{r['rows']}x{r['cols']}", f"{r['weight_bits']},{r['activation_bits']}"
        print(f"{shape:>12}{r['batch']:>7}{r['threads']:>9}  {r['kernel']:<22}{bits:>6}"
              f"{r['median_us']:>12.1f}{r['min_us']:>12.1f}")
    print(f"{'cold' if document['results'][0]['cold'] else 'hot'}; {results.conditions(document)}")


def main():
    arguments = parse_arguments()
    rounds = [[] for _ in range(arguments.rounds)]
    call_us = {threads: {peer: peer.tiny_call_us(threads) for peer in peers()}
               for threads in arguments.threads}
    for shape in arguments.gemv:
        for threads in arguments.threads:
            contenders = make_contenders(arguments, shape, threads, call_us[threads])
            for i in range(arguments.rounds):
                document = run_pbatch(arguments, shape, threads)
                document["results"] += run_peers(arguments, shape, threads, contenders)
                rounds[i].append(document)
    # Conditions of the first run, rows of all; then rounds on top of each other.
    whole = [{**parts[0], "results": [r for p in parts for r in p["results"]],
              "ceilings": [c for p in parts for c in p["ceilings"]]} for parts in rounds]
    merged = results.merge_rounds(whole)
    merged["command"] = shlex.join(["bench/peers/run.py", *sys.argv[1:]])
    merged["threads"] = arguments.threads[-1]
    merged["versions"] = ort.versions()
    merged["ort"] = {"block_size": ort.BLOCK, "accuracy_level": ort.ACCURACY_LEVEL,
                     "spinning": True,
                     "call_us": {threads: us[ort] for threads, us in call_us.items()}}
    pathlib.Path(arguments.json).write_text(json.dumps(merged, indent=1) + "\n")
    print_table(merged)


if __name__ == "__main__":
    main()
