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

BEGIN = "<!-- made by bench/tables.py: begin -->"
END = "<!-- end -->"


def short(us):
    """Microseconds with three digits."""
    return f"{us:.0f}" if us >= 99.5 else f"{us:.1f}" if us >= 9.95 else f"{us:.2f}"


def min_and_median(row):
    return f"{short(row['min_us'])} / {short(row['median_us'])}"


def table(header, rows):
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows]) + "\n"


def by_bits(rows, bits, text):
    """One cell a width."""
    cells = {r["weight_bits"]: text(r) for r in rows}
    return [cells.get(b, "–") for b in bits]


def kernels_line(rows):
    """Which kernel ran at which widths: 'fields_avx512 (1, 2, 4)'."""
    widths = {}
    for row in rows:
        widths.setdefault(row["kernel"], []).append(row["weight_bits"])
    return ", ".join(f"`{kernel}` ({', '.join(map(str, sorted(set(bits))))})"
                     for kernel, bits in widths.items())


def at(shape, threads, cold):
    return (f"{shape[0]} × {shape[1]}, {threads} thread{'s' if threads > 1 else ''}, "
            f"{'cold' if cold else 'hot'}")


def batch_one(document, shape, threads):
    """Times of one vector: a line for each activation width, then floors and peers."""
    place = {"rows": shape[0], "cols": shape[1], "threads": threads, "batch": 1}
    ours = results.find(document, ours=True, **place)
    if not ours:
        return ""
    bits = sorted({r["weight_bits"] for r in ours})
    lines = []
    for abits in sorted({r["activation_bits"] for r in ours}):
        rows = [r for r in ours if r["activation_bits"] == abits]
        lines.append([f"{abits} bits"] + by_bits(rows, bits, min_and_median))
    narrow = [r for r in ours if r["activation_bits"] == min(x["activation_bits"] for x in ours)]
    lines.append(["read alone"] + by_bits(narrow, bits, lambda r: read_floor(document, shape, r)))
    lines.append([f"share of it, {narrow[0]['activation_bits']} bits"] + by_bits(
        narrow, bits, lambda r: "–" if r.get("share_of_read") is None
        else f"{r['share_of_read']:.2f}"))
    int8 = results.find(document, kernel="onednn_int8", **place)
    if int8:
        lines.append([f"over `onednn_int8`, {narrow[0]['activation_bits']} bits"] + by_bits(
            narrow, bits, lambda r: f"{r['median_us'] / int8[0]['median_us']:.2f}"))
    cold = ours[0]["cold"]
    text = f"#### {at(shape, threads, cold)}\n\n"
    text += table(["activations"] + [f"w{b}" for b in bits], lines)
    peers = results.find(document, ours=False, **place)
    if peers:
        text += "\n" + "; ".join(f"`{p['kernel']}` {min_and_median(p)}" for p in peers) + ".\n"
    for abits in sorted({r["activation_bits"] for r in ours}):
        rows = [r for r in ours if r["activation_bits"] == abits]
        text += f"\n{abits} activation bits: {kernels_line(rows)}."
    return text + "\n"


def read_floor(document, shape, row):
    """The time of reading the row's bytes and nothing else."""
    if row.get("share_of_read") is None:
        return "–"
    return short(row["share_of_read"] * row["median_us"])


def batches(document, shape, threads):
    """GMAC/s by batch, with 8 activation bits or the fewest there are."""
    place = {"rows": shape[0], "cols": shape[1], "threads": threads}
    ours = results.find(document, ours=True, **place)
    counts = sorted({r["batch"] for r in ours})
    if len(counts) < 2:
        return ""
    abits = min(r["activation_bits"] for r in ours)
    lines = []
    for bits in sorted({r["weight_bits"] for r in ours}):
        rows = {r["batch"]: r for r in ours
                if (r["weight_bits"], r["activation_bits"]) == (bits, abits)}
        lines.append([f"w{bits}"] + [gmacs(rows.get(n)) for n in counts])
    for name in dict.fromkeys(r["kernel"] for r in results.find(document, ours=False, **place)):
        rows = {r["batch"]: r for r in results.find(document, kernel=name, **place)}
        lines.append([f"`{name}`"] + [gmacs(rows.get(n)) for n in counts])
    return (f"#### {at(shape, threads, ours[0]['cold'])}: GMAC/s by batch, {abits} activation bits\n\n"
            + table(["weights"] + [f"batch {n}" for n in counts], lines))


def gmacs(row):
    return "–" if row is None else f"{row['gmacs']:.0f}" if row["gmacs"] >= 10 else \
        f"{row['gmacs']:.1f}"


def ceilings(document):
    """What the machine did at most, where memory was read and registers multiplied."""
    rows = []
    for c in document["ceilings"]:
        where = f"{c['rows']} × {c['cols']}"
        if c["bytes"]:
            what = f"read {c['bytes'] / 1e6:.2f} MB" + (", huge pages" if c["huge_pages"] else "")
            rows.append([where, str(c["threads"]), what, f"{c['gbps']:.1f} GB/s"])
        else:
            rows.append([where, str(c["threads"]), c["kind"], f"{c['gmacs']:.0f} GMAC/s"])
    return table(["beside", "threads", "ceiling", "median"], rows) if rows else ""


def section(name, document):
    cold = document["results"][0]["cold"]
    parts = [f"### {name}: {document.get('isa', '?')}, {'cold' if cold else 'hot'}\n",
             f"{results.conditions(document)}.\n\n```\n{results.command(document)}\n```\n"]
    for shape in results.shapes(document):
        for threads in results.values(document, "threads"):
            parts += [batch_one(document, shape, threads), batches(document, shape, threads)]
    parts.append("#### Ceilings\n\n" + ceilings(document) if document["ceilings"] else "")
    return "\n".join(part for part in parts if part)


def rewrite(page, text):
    """Puts `text` between the marks of a page."""
    old = page.read_text()
    if old.count(BEGIN) != 1 or END not in old.split(BEGIN)[1]:
        raise results.BadResults(f"{page}: has no '{BEGIN}' … '{END}'")
    before, rest = old.split(BEGIN)
    page.write_text(before + BEGIN + "\n\n" + text + "\n" + END + rest.split(END, 1)[1])


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
