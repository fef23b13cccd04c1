"""One HTML page that needs nothing else: the figure, and every number under it."""

import base64
import html

import draw
import tables

STYLE = """
:root { color-scheme: light dark; --bg: #fff; --fg: #1b1f24; --soft: #59636e; --rule: #d5dae0; }
@media (prefers-color-scheme: dark) {
  :root { --bg: #14171a; --fg: #e8eaed; --soft: #a3acb5; --rule: #363c43; } }
body { margin: 0; background: var(--bg); color: var(--fg);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", sans-serif; }
main { max-width: 1120px; margin: 0 auto; padding: 1.5rem 1rem 3rem; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .5rem; }
h2 { font-size: 1.25rem; margin: 2.5rem 0 .25rem; } h3 { font-size: 1.05rem; margin: 1.5rem 0 0; }
p { max-width: 46rem; margin: .5rem 0; } .small { color: var(--soft); font-size: .88rem; }
figure { margin: .75rem 0; }
img { display: block; max-width: 100%; height: auto; background: #fff; border-radius: 6px; }
.scroll { overflow-x: auto; } code { font-size: .85rem; overflow-wrap: anywhere; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: .5rem 0; }
th, td { padding: .25rem .8rem; text-align: right; border-bottom: 1px solid var(--rule);
  white-space: nowrap; }
thead th { color: var(--soft); } tbody th { font-weight: 600; }
th:first-child { text-align: left; } summary { cursor: pointer; color: var(--soft); }
@media (max-width: 40rem) { th, td { padding: .2rem .45rem; font-size: .9rem; } }
"""

INTRODUCTION = """One model file per network, run at every weight precision and several activation
widths. Beside it, in the same run, the float network (each layer by the faster of oneDNN and
OpenBLAS) and the float network with its linear layers in int8 by oneDNN: a scale per row of weights,
activations quantized as they come. int8 takes every linear layer; pbatch keeps those of fewer than
4,096 weights as floats. Latency is of batch 1."""
INT4_NOTE = """int4 is the naive baseline: each weight matrix is rounded to −7 … 7 times one scale for
the whole tensor, its greatest magnitude over 7, and activations stay floats. Only its metric is
shown, as a dashed line at all speeds: no library here multiplies int4, so no speed is claimed."""


def table(head, rows):
    def cells(row, tag):
        first = f"<th scope='row'>{html.escape(row[0])}</th>" if tag == "td" else \
            f"<th>{html.escape(row[0])}</th>"
        return "<tr>" + first + "".join(f"<{tag}>{html.escape(c)}</{tag}>" for c in row[1:]) + "</tr>"

    return ("<div class='scroll'><table><thead>" + cells(head, "th") + "</thead>\n<tbody>" +
            "\n".join(cells(row, "td") for row in rows) + "</tbody></table></div>")


def image(panels, columns, words):
    data = base64.b64encode(draw.picture(panels, columns, "svg")).decode()
    return (f"<figure><img alt='{html.escape(words)}' "
            f"src='data:image/svg+xml;base64,{data}'></figure>")


def origin(document):
    return (f"<p class='small'>{html.escape(tables.conditions(document))}<br>"
            f"<code>{html.escape(tables.command_of(document))}</code></p>")


def numbers(case, document, closed):
    body = table(["runs at", case.metric.name, *tables.COLUMNS],
                 tables.every_row(case.metric, document)) + origin(document)
    if not closed:
        return body
    return (f"<details><summary>{html.escape(case.title)}: all numbers "
            f"({html.escape(tables.layers(document))})</summary>{body}</details>")


def task_section(task, panels, measured):
    cases = [case for case in task.cases if case.name in measured]
    metric, first = cases[0].metric, measured[cases[0].name]
    better = "higher" if metric.higher_is_better else "lower"
    parts = [f"<h2 id='{task.name}'>{html.escape(task.title)}</h2>",
             f"<p>{html.escape(metric.name.capitalize())} of {tables.amount(first)}; {better} is "
             "better.</p>", image(panels, 3, f"{task.title}: {metric.name} against speed-up")]
    if len(task.cases) > 1:
        documents = [measured[case.name] for case in cases]
        parts += [f"<p>At {tables.middle_width(documents)} activation bits:</p>",
                  table(*tables.group_table(cases, documents))]
    parts += [numbers(case, measured[case.name], len(task.cases) > 1) for case in cases]
    return "\n".join(parts)


def speed_section(task, speeds):
    pairs = [(part, speeds[part.name]) for part in task.parts if part.name in speeds]
    return "\n".join([f"<h2>Speed: {html.escape(task.title)}</h2>",
                      f"<p>Random weights; {html.escape(tables.layers(pairs[0][1]))}. Latency and "
                      "speed-up over float.</p>", table(*tables.speed_table(pairs)),
                      *(origin(document) for _, document in pairs)])


def page(measured, tasks, panels_of, overview, speeds, speed_tasks):
    body = ["<h1>Metric against speed at every precision</h1>", f"<p>{INTRODUCTION}</p>",
            f"<p>{INT4_NOTE}</p>"]
    if len(overview) > 1:
        body.append(image(overview, 3, "all tasks: metric against speed-up"))
    body += [task_section(task, panels_of(task), measured) for task in tasks
             if any(case.name in measured for case in task.cases)]
    body += [speed_section(task, speeds) for task in speed_tasks
             if any(part.name in speeds for part in task.parts)]
    return ("<!DOCTYPE html>\n<html lang='en'><head><meta charset='utf-8'>\n"
            "<meta name='viewport' content='width=device-width, initial-scale=1'>\n"
            f"<title>pbatch: metric against speed</title>\n<style>{STYLE}</style></head>\n"
            "<body><main>\n" + "\n".join(body) + "\n</main></body></html>\n")
