"""Speed at the sizes of the paper, by networks of random weights: whole, and their LSTM alone."""

import dataclasses
import pathlib
import tempfile
from typing import Callable

import common
import shape
from common import np, onnx
from measure import run, without_folders
from tasks import require

# About the mean lengths of SNLI's sentences, in words.
PREMISE, HYPOTHESIS = 14, 8


@dataclasses.dataclass(frozen=True)
class Part:
    """A network, or what lies between values of it: `cut` are names of inputs and of outputs.

    `inputs` makes one run's inputs from a random generator and the sizes of the cut's inputs.
    """

    name: str
    title: str
    inputs: Callable
    cut: tuple = ()


@dataclasses.dataclass(frozen=True)
class SpeedTask:
    name: str
    title: str
    network: str
    recipe: str
    parts: tuple


def state(random, sizes, name):
    return random.uniform(-1, 1, (1, 1, sizes[name])).astype(np.float32)


def one_word(random, sizes):
    return {"tokens": np.array([[7]]), "h0": state(random, sizes, "h0"),
            "c0": state(random, sizes, "c0")}


def one_step(random, sizes):
    return {"embedded": random.normal(0, 0.1, (1, 1, sizes["embedded"])).astype(np.float32),
            "h0": state(random, sizes, "h0"), "c0": state(random, sizes, "c0")}


def pair(random, sizes):
    words = random.integers(2, 5000, PREMISE + HYPOTHESIS)
    return {"premise": words[None, :PREMISE], "premise_lengths": np.array([PREMISE], np.int32),
            "hypothesis": words[None, PREMISE:],
            "hypothesis_lengths": np.array([HYPOTHESIS], np.int32)}


def steps(count):
    def inputs(random, sizes):
        shape_of = (count, 1, sizes["premise.embedded"])
        return {"premise.embedded": random.normal(0, 0.1, shape_of).astype(np.float32),
                "premise_lengths": np.array([count], np.int32)}
    return inputs


LM_CUT = (("embedded", "h0", "c0"), ("lstm1.out", "hn", "cn"))
SNLI_CUT = (("premise.embedded", "premise_lengths"), ("premise.last",))

SPEED_TASKS = (
    SpeedTask("lm_speed", "language model of the paper's size", "wikitext_lm_2048_random.onnx",
              "wikitext_lm.py --random --name wikitext_lm_2048_random", (
                  Part("lm_word", "a whole word", one_word),
                  Part("lm_lstm", "its LSTM alone, one word", one_step, LM_CUT))),
    SpeedTask("snli_speed", "SNLI classifier of the paper's size", "snli_3072_random.onnx",
              "snli.py --hidden 3072 --width 300 --random --name snli_3072_random", (
                  Part("snli_pair", f"a pair of {PREMISE} and {HYPOTHESIS} words", pair),
                  Part("snli_lstm", "its LSTM alone, one word", steps(1), SNLI_CUT),
                  Part("snli_lstm_premise", f"its LSTM alone, {PREMISE} words", steps(PREMISE),
                       SNLI_CUT))),
)


def last_sizes(path):
    """The last dimension of each input of a network, where it is fixed."""
    graph = onnx.load(str(path), load_external_data=False).graph
    dims = {i.name: i.type.tensor_type.shape.dim for i in graph.input}
    return {name: d[-1].dim_value for name, d in dims.items() if d and d[-1].dim_value}


def cut_network(source, target, inputs, outputs):
    """Writes what of the ONNX file `source` lies between the named values."""
    common.package("onnx.utils").extract_model(str(source), str(target), list(inputs),
                                               list(outputs))


def measure_speed(task, part, settings):
    """Latencies by `pbatch compare`: float, int8 and every precision in one run."""
    network = require(settings.places.nets / task.network, task.recipe)
    random = np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        if part.cut:
            cut_network(network, folder / f"{part.name}.onnx", *part.cut)
            network = folder / f"{part.name}.onnx"
        arguments = []
        for name, array in part.inputs(random, last_sizes(network)).items():
            np.save(folder / f"{name}.npy", array)
            arguments += ["--input", f"{name}={folder / name}.npy"]
        document = run(settings, "compare", network, *arguments, *settings.precisions())
        document["layers"] = shape.describe(network)
        return without_folders(document, settings, scratch)
