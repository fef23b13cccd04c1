"""Result files of `pbatch bench --json` and of peers/run.py: reading, merging, sorting out.

One file is one object: the conditions of the run, `results` and `ceilings` (docs/command-line.md).
Nothing here needs more than Python itself.
"""

import json
import pathlib
import re
import statistics

ROW_KEY = ("rows", "cols", "batch", "threads", "cold", "kernel", "weight_bits", "activation_bits")
CEILING_KEY = ("rows", "cols", "threads", "cold", "kind", "bytes")
LIBRARIES = ("onednn_int8", "onednn_int8_dynamic", "onednn_f32", "openblas_f32")


class BadResults(Exception):
    """A file that is no result file, with its name."""


def read(path):
    """One result file."""
    try:
        document = json.loads(pathlib.Path(path).read_text())
    except (OSError, ValueError) as error:
        raise BadResults(f"{path}: {error}") from error
    if not isinstance(document, dict) or not isinstance(document.get("results"), list):
        raise BadResults(f"{path}: not a result file of pbatch bench --gemv")
    document.setdefault("ceilings", [])
    return document


def read_folder(folder):
    """All result files of a folder, by name without .json."""
    paths = sorted(pathlib.Path(folder).glob("*.json"))
    if not paths:
        raise BadResults(f"{folder}: no .json files")
    return {path.stem: read(path) for path in paths}


def merge_entries(entries, key):
    """Entries that agree in `key` become one: the least minimum, medians of the rest."""
    groups = {}
    for entry in entries:
        groups.setdefault(tuple(entry[k] for k in key), []).append(entry)
    merged = []
    for group in groups.values():
        one = dict(group[0])
        one["min_us"] = min(e["min_us"] for e in group)
        for field in ("median_us", "gbps", "gmacs", "share_of_read"):
            values = [e[field] for e in group if e.get(field) is not None]
            if values:
                one[field] = statistics.median(values)
        merged.append(one)
    return merged


def merge_rounds(documents):
    """Several runs of the same things as one; its conditions are those of the first."""
    merged = dict(documents[0])
    merged["rounds"] = len(documents)
    merged["results"] = merge_entries([r for d in documents for r in d["results"]], ROW_KEY)
    merged["ceilings"] = merge_entries([c for d in documents for c in d["ceilings"]], CEILING_KEY)
    return merged


def is_ours(row):
    """A product of bit-layers, not a peer's."""
    return row["kernel"] not in LIBRARIES and not row["kernel"].startswith("ort_")


def find(document, **wanted):
    """The rows whose fields have these values; `ours` is is_ours."""
    ours = wanted.pop("ours", None)
    return [r for r in document["results"]
            if all(r[k] == v for k, v in wanted.items()) and (ours is None or is_ours(r) == ours)]


def shapes(document):
    """(rows, cols) in the order of the file."""
    return list(dict.fromkeys((r["rows"], r["cols"]) for r in document["results"]))


def values(document, key):
    """The distinct values of a field, sorted."""
    return sorted({r[key] for r in document["results"]})


def ceiling(document, kind, shape, threads, nbytes=None):
    """The ceiling of a kind beside a shape's products: of a read, the one of just under `nbytes`
    (cold: the only one). None if it was not measured."""
    for c in document["ceilings"]:
        if (c["kind"], c["rows"], c["cols"], c["threads"]) != (kind, *shape, threads):
            continue
        if nbytes is None or c["cold"] or c["bytes"] // 64 == nbytes // 64:
            return c
    return None


def command(document):
    """The command line, without the folders of files."""
    return re.sub(r"(?<=\s)/\S*/", "", document.get("command", "?"))


def conditions(document):
    """One line: machine, instruction set, versions, date."""
    parts = [document.get("cpu", "?"), document.get("isa", "?"),
             f"{document.get('cores', '?')} cores", f"pbatch {document.get('pbatch_version', '?')}"]
    parts += [f"{name} {version}" for name, version in document.get("versions", {}).items()]
    return ", ".join(parts + [document.get("date", "?")])
