"""Result documents: their rows, and tables of them in Markdown."""

import math
import pathlib
import re
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "scripts"))
import pages  # noqa: E402

BEGIN = "<!-- made by recipes/figures: begin -->"
END = "<!-- end -->"


def float_row(document):
    return document["results"][0]


def int8_row(document):
    return next((row for row in document["results"] if "baseline" in row), None)


def ours(document, abits=None):
    return [row for row in document["results"][1:]
            if "baseline" not in row and abits in (None, row["activation_bits"])]


def activation_widths(document):
    return sorted({row["activation_bits"] for row in ours(document)})


def weight_widths(documents):
    return sorted({row["weight_bits"] for document in documents for row in ours(document)})


def number(value):
    """A finite number or None: a value that is not finite is null in JSON."""
    return value if value is not None and math.isfinite(value) else None


def value_text(metric, row):
    value = None if row is None else number(row.get(metric.key))
    return "–" if value is None else metric.text(value)


def time_text(us):
    if us >= 1000:
        return f"{us / 1000:.3g} ms" if us < 1e6 else f"{us / 1000:.0f} ms"
    return f"{us:.0f} µs" if us >= 99.5 else f"{us:.1f} µs"


def speed_text(row):
    return f"{row['speedup_vs_f32']:.1f}×"


def layers(document):
    """What the network is made of; a document of pbatch alone does not say."""
    return document.get("layers", "")


def conditions(document):
    """Machine, threads, version and date in a line."""
    threads = document["threads"]
    return (f"{document['cpu']}, {document['isa']}, {threads} thread{'s' if threads > 1 else ''} of "
            f"{document['cores']} cores, pbatch {document['pbatch_version']}, {document['date']}")


def amount(document):
    """How much data the metric is of."""
    for key, words in (("items", "items"), ("tokens", "tokens"), ("pairs", "pairs"),
                       ("episodes", "episodes"), ("steps", "inputs")):
        if key in document:
            return f"{document[key]:,} {words}"
    return ""


def mean_document(documents, metric):
    """Geometric means of errors and speed-ups of several networks, one row for each precision."""
    def mean(values):
        values = [number(v) for v in values]
        if any(v is None or v <= 0 for v in values):
            return None
        return math.exp(sum(map(math.log, values)) / len(values))

    def merge(rows):
        merged = {key: rows[0][key] for key in ("weight_bits", "activation_bits", "baseline")
                  if key in rows[0]}
        for key in (metric.key, "speedup_vs_f32"):
            merged[key] = mean([row.get(key) for row in rows])
        return merged

    common = [row for row in documents[0]["results"][1:]
              if all(find(d, row) for d in documents)]
    result = {key: documents[0][key] for key in ("cpu", "isa", "cores", "threads",
                                                 "pbatch_version", "date", "command")}
    result["results"] = [{"weight_bits": 32, "activation_bits": 32, metric.key: 0.0,
                          "speedup_vs_f32": 1.0}]
    result["results"] += [merge([find(d, row) for d in documents]) for row in common]
    int4 = [(d.get("naive_int4") or {}).get(metric.key) for d in documents]
    result["naive_int4"] = {metric.key: mean(int4)}
    result["layers"] = f"geometric mean of {len(documents)} networks"
    return result


def find(document, row):
    """The row of another document at the same precision."""
    key = ("weight_bits", "activation_bits", "baseline")
    return next((r for r in document["results"] if [r.get(k) for k in key] ==
                 [row.get(k) for k in key]), None)


COLUMNS = ("latency", "speed-up", "weights read")


def every_row(metric, document):
    """(what runs, metric, latency, speed-up, weights read) as text: all that was measured."""
    def cells(name, row):
        return [name, value_text(metric, row), time_text(row["latency_us"]), speed_text(row),
                f"{row['weight_bytes'] / 1e6:.3g} MB"]

    rows = [cells("float", float_row(document))]
    if int8_row(document):
        rows.append(cells("int8, oneDNN", int8_row(document)))
    if document.get("naive_int4"):
        rows.append(["int4, one scale per tensor", value_text(metric, document["naive_int4"]),
                     "–", "–", "–"])
    return rows + [cells(f"{row['weight_bits']} bits, activations {row['activation_bits']}", row)
                   for row in ours(document)]


def both(metric, row):
    return "–" if row is None else f"{value_text(metric, row)}, {speed_text(row)}"


def case_table(metric, document):
    """Head and rows: a row for each activation width, metric and speed-up at each weight width."""
    bits = weight_widths([document])
    references = [value_text(metric, float_row(document)), both(metric, int8_row(document)),
                  value_text(metric, document.get("naive_int4"))]
    rows = []
    for i, abits in enumerate(activation_widths(document)):
        by_bits = {row["weight_bits"]: row for row in ours(document, abits)}
        rows.append([f"{abits} bits", *(references if i == 0 else ["", "", ""]),
                     *(both(metric, by_bits.get(b)) for b in bits)])
    return ["activations", "float", "int8", "int4", *(f"w{b}" for b in bits)], rows


def middle_width(documents):
    """16 activation bits, or the fewest where they were not measured."""
    widths = sorted({w for document in documents for w in activation_widths(document)})
    return 16 if 16 in widths else widths[0]


def group_table(cases, documents):
    """Head and rows: a row for each network, at 16 activation bits."""
    bits, abits = weight_widths(documents), middle_width(documents)
    rows = []
    for case, document in zip(cases, documents):
        by_bits = {row["weight_bits"]: row for row in ours(document, abits)}
        rows.append([case.title, "0" if case.metric.against_float else
                     value_text(case.metric, float_row(document)),
                     both(case.metric, int8_row(document)),
                     value_text(case.metric, document.get("naive_int4")),
                     *(both(case.metric, by_bits.get(b)) for b in bits)])
    return ["network", "float", "int8", "int4", *(f"w{b}" for b in bits)], rows


def speed_table(pairs):
    """Head and rows of (part, document): latencies and speed-ups at every precision."""
    bits = weight_widths([document for _, document in pairs])

    def cell(row):
        return "–" if row is None else f"{time_text(row['latency_us'])}, {speed_text(row)}"

    rows = []
    for part, document in pairs:
        for i, abits in enumerate(activation_widths(document)):
            by_bits = {row["weight_bits"]: row for row in ours(document, abits)}
            first = [part.title, time_text(float_row(document)["latency_us"]),
                     cell(int8_row(document))] if i == 0 else ["", "", ""]
            rows.append([first[0], f"{abits} bits", *first[1:],
                         *(cell(by_bits.get(b)) for b in bits)])
    return ["", "activations", "float", "int8", *(f"w{b}" for b in bits)], rows


def command_of(document):
    """The command line without the end that every one has."""
    return re.sub(r" --json -$", "", document["command"])


def task_text(task, measured):
    """One task's part of the Markdown: heading, table, conditions, command."""
    cases = [case for case in task.cases if case.name in measured]
    documents = [measured[case.name] for case in cases]
    metric = cases[0].metric
    better = "higher" if metric.higher_is_better else "lower"
    if len(task.cases) == 1:
        what, (head, rows) = layers(documents[0]), case_table(metric, documents[0])
    else:
        what = f"{middle_width(documents)} activation bits"
        head, rows = group_table(cases, documents)
    return "\n\n".join([
        f"### {task.title}", f"{metric.name[0].upper()}{metric.name[1:]} ({better} is better) of "
        f"{amount(documents[0])}, and speed-up over float{'; ' * bool(what)}{what}.", pages.table(head, rows),
        f"{conditions(documents[0])}:\n\n```\n{command_of(documents[0])}\n```"])


def report(measured, tasks, speeds, speed_tasks):
    """All tables as Markdown."""
    text = [task_text(task, measured) for task in tasks
            if any(case.name in measured for case in task.cases)]
    for task in speed_tasks:
        pairs = [(part, speeds[part.name]) for part in task.parts if part.name in speeds]
        if pairs:
            text.append("\n\n".join([
                f"### Speed: {task.title}", f"Random weights; {layers(pairs[0][1])}; latency and "
                "speed-up over float.", pages.table(*speed_table(pairs)),
                conditions(pairs[0][1]) + "."]))
    return "\n\n".join(text) + "\n"


def rewrite(page, text):
    """`page` with `text` between the marks; None where it has no marks."""
    return pages.rewrite(page, BEGIN, END, text)
