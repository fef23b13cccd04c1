"""Runs pbatch and keeps what it says."""

import dataclasses
import json
import pathlib
import subprocess
import tempfile

import naive_int4
import shape
from common import np
from tasks import Places, require


class Failed(Exception):
    """pbatch ended with an error; it has said why."""


@dataclasses.dataclass(frozen=True)
class Settings:
    """How a figure is measured."""

    pbatch: str
    places: Places
    bits: str
    abits: str
    threads: int
    seconds: float
    quick: bool

    def precisions(self):
        return ["--bits", self.bits, "--abits", self.abits, "--int8", *self.timing(self.seconds)]

    def timing(self, seconds):
        return ["--threads", self.threads, "--seconds", seconds]


def run(settings, *arguments):
    """The JSON of one pbatch command; its progress bar and errors go to the standard error."""
    command = [str(part) for part in (settings.pbatch, *arguments, "--json", "-")]
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    except OSError as error:
        raise Failed(f"{settings.pbatch}: {error.strerror}; --pbatch names the program") from None
    if done.returncode != 0:
        raise Failed(f"{' '.join(command)} ended with {done.returncode}")
    return json.loads(done.stdout)


def without_folders(document, settings, scratch):
    """`document` with words for the folders that its texts name, so that it can be passed on."""
    text = json.dumps(document)
    words = [(scratch, "CUT"), (settings.pbatch, "pbatch"), (settings.places.mnist, "MNIST"),
             (settings.places.nets, "NETS")]
    for folder, word in words:
        if folder and str(folder) not in (".", "pbatch"):
            text = text.replace(json.dumps(str(folder))[1:-1], word)
    return json.loads(text)


def limit_of(case, settings):
    return [str(part) for part in (case.quick if settings.quick else case.limit)]


def relative_error(settings, whole, rounded, data, folder):
    """How far the outputs of one float network are from another's, as `pbatch compare` has it."""
    outputs = []
    for network in (whole, rounded):
        outputs.append(pathlib.Path(folder) / f"{len(outputs)}.npy")
        run(settings, "run", network, "--input", data, "--output", outputs[-1])
    a, b = (np.load(path).astype(np.float64) for path in outputs)
    return float(np.linalg.norm(b - a) / np.linalg.norm(a))


def measure_int4(case, settings, network, more, arguments, folder):
    """The metric of the network with naively rounded weights, run as a float network."""
    names = {}
    for path in (network, *(path for _, path in more)):
        names[path] = pathlib.Path(folder) / path.name
        rounded = naive_int4.round_network(path, names[path])
        print(f"  int4: {path.name}, {len(rounded)} matrices", flush=True)
    if case.metric.against_float:
        data = arguments[arguments.index("--data") + 1]
        return {case.metric.key: relative_error(settings, network, names[network], data, folder)}
    others = [part for option, path in more for part in (option, names[path])]
    document = run(settings, "eval", names[network], *arguments, *others,
                   *limit_of(case, settings), "--bits", 32, *settings.timing(0))
    return {key: document["results"][0].get(key) for key in {"value", case.metric.key}}


def measure_case(case, settings):
    """Float, int8 and every precision in one run of pbatch, then naive int4."""
    network = require(settings.places.nets / case.network, case.recipe)
    more = [(option, require(settings.places.nets / name, case.recipe))
            for option, name in case.more_networks]
    arguments = case.arguments(settings.places)
    others = [part for option, path in more for part in (option, path)]
    document = run(settings, "eval", network, *arguments, *others, *limit_of(case, settings),
                   *settings.precisions())
    with tempfile.TemporaryDirectory() as folder:
        document["naive_int4"] = measure_int4(case, settings, network, more, arguments, folder)
    document["layers"] = "; ".join(shape.describe(path) for path in
                                   (network, *(path for _, path in more)))
    return without_folders(document, settings, "")
