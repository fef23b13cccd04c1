"""What is measured: networks, their data, and how a value is shown."""

import dataclasses
import pathlib
from typing import Callable


class Missing(Exception):
    """A network or data file that is not there, with the recipe that makes it."""


def require(path, recipe):
    """The path of a file that is there."""
    if not pathlib.Path(path).is_file():
        raise Missing(f"{path} is not there; recipes/{recipe} makes it (docs/recipes.md)")
    return pathlib.Path(path)


@dataclasses.dataclass(frozen=True)
class Metric:
    """A figure of merit: its name, the key that holds it in `results`, and how it is written."""

    name: str
    text: Callable
    key: str = "value"
    higher_is_better: bool = False
    percent: bool = False
    against_float: bool = False  # an error against the float network, which itself has none


def percent(value):
    return f"{100 * value:.2f} %"


def digits(count):
    return lambda value: f"{value:.{count}f}"


def three_digits_percent(value):
    return f"{100 * value:.3g} %"


ACCURACY = Metric("accuracy", percent, higher_is_better=True, percent=True)
PERPLEXITY = Metric("perplexity", digits(2))
BITS = Metric("bits a character", digits(4), key="bits_per_token")
PHONEMES = Metric("phoneme error", percent, percent=True)
RETURN = Metric("mean return", digits(1), higher_is_better=True)
ERROR = Metric("error against float", three_digits_percent, percent=True, against_float=True)


@dataclasses.dataclass(frozen=True)
class Case:
    """One network and one metric: one run of pbatch, one panel.

    `arguments(places)` are those of `pbatch eval` behind the network, files as paths; `networks`
    are files in the folder of networks: the one evaluated, and others as (option, file).
    `quick` takes the place of the limit (option and number) for a first look.
    """

    name: str
    title: str
    metric: Metric
    network: str
    recipe: str
    arguments: Callable
    more_networks: tuple = ()
    limit: tuple = ()
    quick: tuple = ("--limit", 200)


@dataclasses.dataclass(frozen=True)
class Task:
    """Cases that belong together. `together`: their mean stands in the picture of all tasks."""

    name: str
    title: str
    cases: tuple
    together: bool = False


@dataclasses.dataclass(frozen=True)
class Places:
    """The folders that networks and data are taken from."""

    nets: pathlib.Path
    mnist: pathlib.Path


def mnist_data(places):
    found = []
    for name in ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"):
        paths = [p for p in (places.mnist / f"{name}.gz", places.mnist / name) if p.is_file()] \
            if places.mnist else []
        if not paths:
            raise Missing(f"{name}.gz is not there; --mnist is the folder of MNIST's IDX files "
                          "(docs/recipes.md)")
        found.append(paths[0])
    return ["--data", found[0], "--labels", found[1]]


def snli_data(places):
    arguments = ["--labels", require(places.nets / "snli.dev.labels.npy", "snli.py")]
    for name in ("premise", "premise_lengths", "hypothesis", "hypothesis_lengths"):
        arguments += ["--data", f"{name}={require(places.nets / f'snli.dev.{name}.npy', 'snli.py')}"]
    return arguments


def tokens(name, recipe, *more):
    return lambda places: ["--task", "lm", "--data", require(places.nets / name, recipe), *more]


def g2p_data(places):
    return ["--task", "seq2seq", "--start", "2", "--stop", "3", "--max-length", "20",
            "--data", require(places.nets / "g2p.pairs.tsv", "convert_g2p.py")]


def keyword_case(name):
    data = f"kws_{name}.input.npy"
    return Case(f"kws_{name}", name.replace("_", " "), ERROR, f"kws_{name}.onnx", "convert_kws.py",
                lambda places: ["--task", "stream", "--data",
                                require(places.nets / data, "convert_kws.py")],
                quick=("--limit", 16))


def policy_case(name, environment, title):
    return Case(f"control_{name}", title, RETURN, f"policy_{name}.onnx", "convert_policies.py",
                lambda places: ["--task", "control", "--env", environment],
                limit=("--episodes", 100), quick=("--episodes", 3))


def one(name, title, *arguments, **more):
    """A task of one case."""
    return Task(name, title, (Case(name, title, *arguments, **more),))


TASKS = (
    one("mnist", "MNIST", ACCURACY, "mnist_4096.onnx", "mnist.py", mnist_data),
    # 20,000 words of the test text, from 20 places: all of it takes twelve times as long.
    one("lm", "WikiText-2", PERPLEXITY, "wikitext_lm_256.onnx",
        "wikitext_lm.py --name wikitext_lm_256 --hidden 256",
        tokens("wikitext.test.npy", "wikitext_lm.py", "--streams", "20", "--steps", "32"),
        limit=("--limit", 1000), quick=("--limit", 40)),
    one("snli", "SNLI", ACCURACY, "snli.onnx", "snli.py", snli_data),
    one("char", "Shakespeare by characters", BITS, "char_lstm.onnx", "convert_char_lstm.py",
        tokens("char_lstm.tokens.npy", "convert_char_lstm.py", "--warmup", "101")),
    one("g2p", "Graphemes to phonemes", PHONEMES, "g2p_encoder.onnx", "convert_g2p.py", g2p_data,
        more_networks=(("--decoder", "g2p_decoder.onnx"),)),
    Task("kws", "Keyword spotting", tuple(keyword_case(f"{kind}_{size}") for kind in
                                          ("DNN", "Basic_LSTM", "LSTM", "GRU", "CRNN")
                                          for size in "SM"), together=True),
    Task("control", "Control policies", (
        policy_case("ppo_CartPole", "cartpole", "CartPole, PPO"),
        policy_case("dqn_CartPole", "cartpole", "CartPole, DQN"),
        policy_case("dqn_MountainCar", "mountaincar", "MountainCar, DQN"),
        policy_case("dqn_Acrobot", "acrobot", "Acrobot, DQN"),
        policy_case("tqc_Pendulum", "pendulum", "Pendulum, TQC"))),
)
