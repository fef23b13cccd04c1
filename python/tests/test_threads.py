"""Threads, forks and exits."""

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import pbatch


def test_many_threads_use_one_session(session):
    rng = np.random.default_rng(5)
    arrays = [rng.standard_normal((n % 3 + 1, 64)).astype(np.float32) for n in range(8)]
    wanted = {(i, b): session(a, bits=b) for i, a in enumerate(arrays) for b in (1, 4, 8)}

    def work(seed):
        order = np.random.default_rng(seed).permutation(len(wanted))
        for key in (list(wanted)[i] for i in order):
            np.testing.assert_array_equal(session(arrays[key[0]], bits=key[1]), wanted[key])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(32)))


def slow_session():
    """Runs of which last some hundredths of a second."""
    import onnx
    from conftest import model_of

    rng = np.random.default_rng(0)
    weights = {f"w{i}": rng.standard_normal((1024, 1024)).astype(np.float32) for i in range(4)}
    nodes = [
        onnx.helper.make_node("MatMul", [f"v{i}", f"w{i}"], [f"v{i + 1}"], name=f"fc{i}")
        for i in range(4)
    ]
    ports = [(name, onnx.TensorProto.FLOAT, ["n", 1024]) for name in ("v0", "v4")]
    model = pbatch.quantize(model_of(nodes, ports[:1], ports[1:], weights), planes=4).model
    return pbatch.InferenceSession(model, threads=1)


def test_other_threads_go_on_while_a_network_runs():
    session = slow_session()
    x = np.ones((256, 1024), np.float32)
    session(x)
    inside = threading.Event()

    def run():
        inside.set()
        session(x)

    thread = threading.Thread(target=run)
    turns = 0
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1000)  # only a thread that lets go lets others in
    try:
        thread.start()
        inside.wait()
        while thread.is_alive():
            turns += 1
            time.sleep(0)
    finally:
        sys.setswitchinterval(interval)
        thread.join()
    assert turns > 1


def test_a_session_closed_during_a_run_ends_the_run_first():
    session = slow_session()
    x = np.ones((256, 1024), np.float32)
    wanted = session(x)
    results = []

    def run():
        try:
            results.append(session(x))
        except pbatch.InvalidArgumentError as error:
            results.append(error)

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    session.close()
    for thread in threads:
        thread.join()
    assert len(results) == 3
    for result in results:
        if isinstance(result, np.ndarray):
            np.testing.assert_array_equal(result, wanted)
        else:
            assert "closed" in str(result)


def test_another_thread_resizes_the_arrays(session, x):
    """numpy refuses it while a run holds the memory; else the run sees the shape before or after."""
    rows = range(1, 5)
    wanted = {n: session(np.concatenate([x, np.zeros((n - 1, 64), np.float32)])) for n in rows}
    box = {"in": x.copy(), "out": np.zeros((1, 10), np.float32)}
    stop = threading.Event()
    done = {"resized": 0, "refused": 0}

    def resize():
        while not stop.is_set():
            for n in rows:
                try:
                    box["in"].resize((n, 64))
                    box["out"].resize((n, 10))
                    done["resized"] += 1
                except ValueError:
                    done["refused"] += 1

    thread = threading.Thread(target=resize)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    thread.start()
    try:
        turns, end = 0, time.monotonic() + 60
        while turns < 2000 or not all(done.values()) and time.monotonic() < end:
            turns += 1
            y = session(box["in"])
            np.testing.assert_array_equal(y, wanted[len(y)])
            try:
                session.run(None, {"x": box["in"]}, out={"y": box["out"]})
            except pbatch.ShapeMismatchError:
                pass
    finally:
        stop.set()
        thread.join()
        sys.setswitchinterval(interval)
    assert all(done.values())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.parametrize("threads", [1, 2])
def test_a_forked_child_runs_its_parents_session(x, threads):
    session = pbatch.InferenceSession("net.pbatch.onnx", threads=threads)
    wanted = session(x, bits=3)
    stop = threading.Event()

    def keep_running():
        while not stop.is_set():
            session(x, bits=5)

    thread = threading.Thread(target=keep_running)
    thread.start()
    try:
        for _ in range(10):
            child = os.fork()
            if child == 0:
                signal.alarm(60)
                same = np.array_equal(session(x, bits=3), wanted)
                again = pbatch.InferenceSession("net.pbatch.onnx", threads=1)(x, bits=3)
                os._exit(0 if same and np.array_equal(again, wanted) else 1)
            assert os.waitpid(child, 0)[1] == 0
    finally:
        stop.set()
        thread.join()


EXIT = """
import sys, threading, time
import numpy as np
sys.path.insert(0, {tests!r})
from test_threads import slow_session
session = slow_session()
x = np.ones((64, 1024), np.float32)
def work():
    while True:
        session(x)
for _ in range(4):
    threading.Thread(target=work, daemon=True).start()
time.sleep({pause})
"""


@pytest.mark.parametrize("pause", [0.0, 0.05, 0.2])
def test_the_interpreter_exits_while_runs_go_on(pause):
    program = EXIT.format(tests=os.path.dirname(__file__), pause=pause)
    for _ in range(3):
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=300)
        assert done.returncode == 0, done.stderr.decode()
        assert done.stderr == b""
