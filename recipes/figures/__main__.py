"""Measures metric against speed-up at every precision and draws it: the figure of the paper.

OUT gets a JSON file for each network as pbatch wrote it, figure.png and a PNG for each task,
figure.html with every number, and figure.md with tables. Needs numpy, onnx and matplotlib. Exit
code 1: something was left out, and the lines above say what and why.
"""

import argparse
import json
import os
import pathlib
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent))  # recipes/common.py

import draw  # noqa: E402
import measure  # noqa: E402
import page  # noqa: E402
import speed  # noqa: E402
import tables  # noqa: E402
from tasks import TASKS, Missing, Places  # noqa: E402

NAMES = [task.name for task in (*TASKS, *speed.SPEED_TASKS)]


def parse():
    parser = argparse.ArgumentParser(prog="python3 recipes/figures",
                                     description=__doc__.split("\n\n")[0],
                                     epilog=__doc__.split("\n\n")[1])
    parser.add_argument("--pbatch", default="pbatch", help="the program; default: on the PATH")
    parser.add_argument("--nets", default=os.environ.get("PBATCH_NETS"), type=pathlib.Path,
                        help="folder that the other recipes wrote to; default: $PBATCH_NETS")
    parser.add_argument("--mnist", default=os.environ.get("PBATCH_MNIST"), type=pathlib.Path,
                        help="folder of MNIST's IDX files; default: $PBATCH_MNIST")
    parser.add_argument("--out", type=pathlib.Path, required=True, help="folder to write to")
    parser.add_argument("--tasks", default=",".join(NAMES), metavar="LIST",
                        help=f"of {', '.join(NAMES)}; default: all")
    parser.add_argument("--bits", metavar="LIST", help="weight bits; default: 1:8")
    parser.add_argument("--abits", metavar="LIST", help="activation bits; default: 8,16,32")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, help="timed work for each row; default: 0.5")
    parser.add_argument("--quick", action="store_true",
                        help="few widths, little data, short times: to see whether all works")
    parser.add_argument("--from-json", action="store_true",
                        help="measure nothing: draw what an earlier run left in OUT")
    parser.add_argument("--page", type=pathlib.Path, metavar="FILE.md",
                        help="also write the tables between the marks of this page, as of docs/")
    options = parser.parse_args()
    options.tasks = options.tasks.split(",")
    for name in options.tasks:
        if name not in NAMES:
            parser.error(f"argument --tasks: no task '{name}'; there are {', '.join(NAMES)}")
    if not options.from_json and options.nets is None:
        parser.error("--nets or PBATCH_NETS has to name the folder of networks")
    return options


def settings_of(options):
    quick = options.quick
    return measure.Settings(
        pbatch=options.pbatch, places=Places(options.nets, options.mnist),
        bits=options.bits or ("1,4,8" if quick else "1:8"),
        abits=options.abits or ("8,16" if quick else "8,16,32"), threads=options.threads,
        seconds=options.seconds if options.seconds is not None else 0.05 if quick else 0.5,
        quick=quick)


def works(options, settings):
    """(file name, what it is, function that measures it) of everything that was asked for."""
    for task in TASKS:
        for case in task.cases if task.name in options.tasks else ():
            yield case.name, case.title, lambda case=case: measure.measure_case(case, settings)
    for task in speed.SPEED_TASKS:
        for part in task.parts if task.name in options.tasks else ():
            yield (part.name, f"{task.title}: {part.title}",
                   lambda task=task, part=part: speed.measure_speed(task, part, settings))


def measure_all(options):
    """Writes OUT/NAME.json for everything; the number that had to be left out."""
    load = os.getloadavg()[0]
    if load > 0.5:
        print(f"figures: the machine is busy (load {load:.1f}); do not trust the times",
              file=sys.stderr)
    left_out = 0
    for name, title, function in works(options, settings_of(options)):
        print(f"{name}: {title}", flush=True)
        path = options.out / f"{name}.json"
        path.unlink(missing_ok=True)  # else an older run's would be drawn for it
        try:
            path.write_text(json.dumps(function(), indent=1, ensure_ascii=False) + "\n",
                            encoding="utf-8")
        except (Missing, measure.Failed) as error:
            print(f"figures: {name} is left out: {error}", file=sys.stderr)
            left_out += 1
    return left_out


def read(options, names):
    """The documents in OUT of these names."""
    documents = {}
    for name in names:
        path = options.out / f"{name}.json"
        if not path.is_file():
            continue
        try:
            documents[name] = json.loads(path.read_text(encoding="utf-8"))
            tables.conditions(documents[name])
            tables.float_row(documents[name])
        except (ValueError, LookupError, TypeError) as error:
            raise SystemExit(f"figures: {path}: not a result file ({error!r})") from None
    return documents


def panels_of(task, measured):
    return [(case.title, case.metric, measured[case.name]) for case in task.cases
            if case.name in measured]


def overview_of(tasks, measured):
    """The panels of the picture of all tasks."""
    panels = []
    for task in tasks:
        own = panels_of(task, measured)
        if task.together and len(own) > 1:
            metric = own[0][1]
            own = [(task.title, metric, tables.mean_document([p[2] for p in own], metric))]
        panels += own
    return panels


def write(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    print(f"{path}: {path.stat().st_size} bytes")


def draw_all(options):
    """Everything that is drawn and written from the JSON files; the number that is not there."""
    tasks = [task for task in TASKS if task.name in options.tasks]
    speed_tasks = [task for task in speed.SPEED_TASKS if task.name in options.tasks]
    cases = [case.name for task in tasks for case in task.cases]
    parts = [part.name for task in speed_tasks for part in task.parts]
    measured, speeds = read(options, cases), read(options, parts)
    if not measured and not speeds:
        raise SystemExit(f"figures: {options.out} holds no results to draw")
    overview = overview_of(tasks, measured)
    if overview:
        write(options.out / "figure.png", draw.picture(overview))
    for task in tasks:
        panels = panels_of(task, measured)
        if panels:
            write(options.out / f"{task.name}.png", draw.picture(panels))
    write(options.out / "figure.html", page.page(measured, tasks, lambda t: panels_of(t, measured),
                                                 overview, speeds, speed_tasks))
    text = tables.report(measured, tasks, speeds, speed_tasks)
    write(options.out / "figure.md", text)
    if options.page:
        old = options.page.read_text(encoding="utf-8") if options.page.is_file() else ""
        new = tables.rewrite(old, text)
        if new is None:
            raise SystemExit(f"figures: {options.page} lacks the lines {tables.BEGIN} and "
                             f"{tables.END}")
        write(options.page, new)
    return len(cases) + len(parts) - len(measured) - len(speeds)


def main():
    options = parse()
    options.out.mkdir(parents=True, exist_ok=True)
    left_out = 0 if options.from_json else measure_all(options)
    missing = draw_all(options)
    if options.from_json and missing:
        print(f"figures: {options.out} lacks the results of {missing} networks", file=sys.stderr)
    return 1 if left_out or missing else 0


if __name__ == "__main__":
    sys.exit(main())
