"""The package as it is installed: stubs, types, documentation."""

import doctest
import importlib.metadata
import inspect
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

import pbatch
from pbatch import _core, errors

PACKAGE = pathlib.Path(pbatch.__file__).parent
HERE = pathlib.Path(__file__).parent
ROOT = HERE.parents[1]


def test_the_stub_is_as_it_was():
    """After a change that is meant: copy the installed _core.pyi to tests/_core.pyi.expected."""
    assert (PACKAGE / "_core.pyi").read_text() == (HERE / "_core.pyi.expected").read_text()


def test_types_hold(tmp_path):
    mypy = pytest.importorskip("mypy.api")
    assert (PACKAGE / "py.typed").exists()
    program = tmp_path / "program.py"
    program.write_text((HERE / "typed_program.py").read_text())
    for target in (str(program), "-ppbatch"):
        said, complaint, status = mypy.run(
            [f"--config-file={HERE.parent / 'pyproject.toml'}", f"--cache-dir={tmp_path}", target]
        )
        assert status == 0, said + complaint


def documented():
    """(name, text) of everything public."""
    yield "errors", errors.__doc__
    for name in pbatch.__all__:
        thing = getattr(pbatch, name)
        yield name, thing.__doc__
        if inspect.isclass(thing):
            for base in thing.__mro__:
                if base.__module__.startswith("pbatch"):
                    for member, value in vars(base).items():
                        if not member.startswith("_") or member == "__call__":
                            yield f"{name}.{member}", value.__doc__


def run_examples(name, text, session):
    names = {"pbatch": pbatch, "np": np, "session": session}
    names["x"] = np.random.default_rng(1).standard_normal((1, 64)).astype(np.float32)
    test = doctest.DocTestParser().get_doctest(text, names, name, None, None)
    said = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    runner.run(test, out=said.append)
    assert not runner.failures, "".join(said)
    return len(test.examples)


def test_examples_of_the_documentation_run(session):
    ran = sum(run_examples(name, text, session) for name, text in documented() if text)
    assert ran > 30


def test_everything_public_is_documented():
    lacking = [
        name
        for name, text in documented()
        if not text and "." not in name
    ]
    assert not lacking


@pytest.mark.parametrize(
    "page", ["python.md", "cascade.md", "from-onnxruntime.md", "from-torch.md", "in-a-notebook.md"]
)
def test_examples_of_the_pages_run(page, session, tmp_path, folder):
    """Blocks of Python run one after another, where net.onnx and x are."""
    if page == "from-torch.md":
        pytest.importorskip("torch", reason="torch is not installed")
    text = (ROOT / "docs" / page).read_text()
    blocks = [b.split("```")[0] for b in text.split("```python\n")[1:]]
    assert blocks
    program = "\n".join(blocks)
    done = subprocess.run(
        [sys.executable, "-c", "import numpy as np\nx = np.ones((1, 64), np.float32)\n"
         "images = np.ones((20, 64), np.float32)\nlabels = np.zeros(20, np.int64)\n" + program],
        cwd=folder, capture_output=True, text=True, env={**os.environ, "MPLBACKEND": "agg"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_the_namesake_is_refused(tmp_path):
    """The name pbatch on the package index is another project's."""
    info = tmp_path / "pbatch-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: pbatch\nVersion: 1.0\n")
    done = subprocess.run(
        [sys.executable, "-c", "import pbatch"], capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 1
    line = done.stderr.strip().splitlines()[-1]
    assert line.startswith("ImportError: the distribution 'pbatch' is another project")
    assert "pip uninstall pbatch" in line


def test_the_distribution():
    distribution = importlib.metadata.distribution("precisionbatching")
    assert distribution.version == pbatch.__version__ == _core.version
    required = [r for r in distribution.requires or [] if "extra" not in r]
    assert [r.split(">")[0] for r in required] == ["numpy"]
