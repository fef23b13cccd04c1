"""The code of docs/onnxruntime-plugin.md runs."""

import pathlib
import re
import subprocess
import sys

import onnx
from networks import Network

PAGE = pathlib.Path(__file__).parents[2] / "docs" / "onnxruntime-plugin.md"
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.S)


def test_the_page_begins_with_code():
    assert PAGE.read_text().splitlines()[2] == "```python"


def test_the_first_block(mlp: Network):
    onnx.save(mlp.model, "net.onnx")
    names = {"x": mlp.feeds["x"]}
    exec(BLOCKS[0], names)
    assert names["y"].shape == (5, 64)


def test_the_block_without_pbatch(mlp: Network):
    """Which registers the library itself, so in a process of its own."""
    script = BLOCKS[1] + (
        "session = onnxruntime.InferenceSession('net.onnx', options)\n"
        "assert session.get_providers()[0] == ep.get_ep_name()\n"
    )
    onnx.save(mlp.model, "net.onnx")
    subprocess.run([sys.executable, "-c", script], check=True)
