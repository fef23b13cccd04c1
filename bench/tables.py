#!/usr/bin/env python3
"""Writes the tables of docs/ from result files.

    bench/tables.py OUT_DIR                              prints Markdown
    bench/tables.py OUT_DIR --page docs/kernel-times.md  rewrites what stands there between the marks

OUT_DIR holds what bench/run_kernels.sh leaves. Needs nothing but Python.
"""

import argparse
import pathlib
import sys

import results

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "scripts"))
import pages  # noqa: E402

BEGIN = "<!-- made by bench/tables.py: begin -->"
END = "<!-- end -->"


def short(us):
    """Microseconds with three digits."""
    return f"{us:.0f}" if us >= 99.5 else f"{us:.1f}" if us >= 9.95 else f"{us:.2f}"


def at(shape, threads):
    return f"{shape[0]} × {shape[1]}, {threads}"


def places(document):
    for shape in results.shapes(document):
        for threads in results.values(document, "threads"):
            yield shape, threads, {"rows": shape[0], "cols": shape[1], "threads": threads}


def widths(document):
    return sorted({r["weight_bits"] for r in document["results"] if results.is_ours(r)})


def peers_of(document):
    return list(dict.fromkeys(r["kernel"] for r in document["results"] if not results.is_ours(r)))


def one_vector(document):
    """Medians of one vector: a line for each matrix, number of threads and activation bits."""
    bits, peers, lines = widths(document), peers_of(document), []
    for shape, threads, place in places(document):
        ours = results.find(document, ours=True, batch=1, **place)
        beside = [results.find(document, kernel=name, batch=1, **place) for name in peers]
        for i, abits in enumerate(sorted({r["activation_bits"] for r in ours})):
            cells = {r["weight_bits"]: short(r["median_us"]) for r in ours if r["activation_bits"] == abits}
            lines.append([at(shape, threads) if i == 0 else "", str(abits)] + [cells.get(b, "–") for b in bits] +
                         [short(found[0]["median_us"]) if found and i == 0 else "" for found in beside])
    return pages.table(["matrix, threads", "A"] + [f"w{b}" for b in bits] + [f"`{name}`" for name in peers], lines)


def gmacs(row):
    return "–" if row is None else f"{row['gmacs']:.0f}" if row["gmacs"] >= 10 else \
        f"{row['gmacs']:.1f}"


def batches(document):
    """GMAC/s of 4 weight bits by batch, with 8 activation bits, and of a float and an int8 library."""
    counts, lines = results.values(document, "batch"), []
    if len(counts) < 2:
        return ""
    for shape, threads, place in places(document):
        for i, (name, wanted) in enumerate((("w4", {"ours": True, "weight_bits": 4, "activation_bits": 8}),
                                            ("`onednn_int8_dynamic`", {"kernel": "onednn_int8_dynamic"}),
                                            ("`onednn_f32`", {"kernel": "onednn_f32"}))):
            rows = {r["batch"]: r for r in results.find(document, **wanted, **place)}
            if rows:
                lines.append([at(shape, threads) if i == 0 else "", name] + [gmacs(rows.get(n)) for n in counts])
    if not lines:
        return ""
    return "GMAC/s by batch, 8 activation bits:\n\n" + pages.table(
        ["matrix, threads", ""] + [str(n) for n in counts], lines) + "\n"


def ceilings(document):
    """What the machine did at most beside them: reading the bytes of the widest planes, multiplying."""
    lines, kinds = [], []
    for shape, threads, place in places(document):
        here = [c for c in document["ceilings"] if all(c[k] == v for k, v in place.items())]
        reads = [c for c in here if c["bytes"]]
        products = [c for c in here if not c["bytes"]]
        kinds += [c["kind"] for c in products if c["kind"] not in kinds]
        if reads:
            most = max(reads, key=lambda c: c["bytes"])
            lines.append([at(shape, threads), f"{most['gbps']:.1f} GB/s"] +
                         [f"{c['gmacs']:.0f} GMAC/s" for c in products])
    if not lines:
        return ""
    return "Ceilings:\n\n" + pages.table(["matrix, threads", "read"] + kinds, lines) + "\n"


def section(name, document):
    cold = document["results"][0]["cold"]
    parts = [f"## {name}: {document.get('isa', '?')}, {'cold' if cold else 'hot'}\n",
             f"{results.conditions(document)}.\n\n```\n{results.command(document)}\n```\n",
             one_vector(document) + "\n", batches(document), ceilings(document)]
    return "\n".join(part for part in parts if part)


def rewrite(page, text):
    """Puts `text` between the marks of a page."""
    new = pages.rewrite(page.read_text(), BEGIN, END, text)
    if new is None:
        raise results.BadResults(f"{page}: has no '{BEGIN}' … '{END}'")
    page.write_text(new)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("folder", metavar="OUT_DIR")
    parser.add_argument("--page", type=pathlib.Path, metavar="FILE.md")
    options = parser.parse_args(arguments)
    try:
        documents = results.read_folder(options.folder)
        text = "\n".join(section(name, document) for name, document in documents.items())
        if options.page is None:
            print(text)
        else:
            rewrite(options.page, text)
    except (results.BadResults, OSError) as error:
        sys.exit(f"tables.py: {error}")


if __name__ == "__main__":
    main()
