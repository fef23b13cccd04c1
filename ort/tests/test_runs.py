"""Threads, modes of execution, sessions that come and go."""

import gc
import pathlib
import threading

import onnxruntime
import pytest
from conftest import assert_same_bits, plugin_session, run_at
from networks import Network, encoder

import pbatch
import pbatch.ort


def test_threads_of_one_session_have_widths_of_their_own():
    network = encoder()
    session = plugin_session(network.model, connect=False)   # many nodes
    wanted = {b: run_at(session, network.feeds, bits=b, abits=8) for b in range(1, 9)}
    default = session.run(None, network.feeds)
    problems = []

    def work(bits):
        try:
            for _ in range(30):
                assert_same_bits(run_at(session, network.feeds, bits=bits, abits=8), wanted[bits])
                assert_same_bits(session.run(None, network.feeds), default)
        except BaseException as error:
            problems.append(error)

    threads = [threading.Thread(target=work, args=(bits,)) for bits in wanted]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems, problems[0]


def test_asynchronous_runs_have_widths_of_their_own():
    network = encoder()
    session = plugin_session(network.model)
    wanted = {b: run_at(session, network.feeds, bits=b) for b in range(1, 9)}
    results, problems, kept = {}, [], []   # options must outlive their runs
    left = threading.Semaphore(0)

    def done(values, bits, error):
        if error:
            problems.append(error)
        results[bits] = values
        left.release()

    for bits in wanted:
        options = onnxruntime.RunOptions()
        options.add_run_config_entry("pbatch.bits", str(bits))
        kept.append(options)
        session.run_async(None, network.feeds, done, bits, options)
    for _ in wanted:
        assert left.acquire(timeout=60)
    assert not problems, problems
    for bits, values in wanted.items():
        assert_same_bits(results[bits], values)


def test_parallel_execution_is_refused():
    """Nodes in other threads than their run's do not know its precision."""
    network = encoder()
    parallel = onnxruntime.ExecutionMode.ORT_PARALLEL
    options = onnxruntime.SessionOptions()
    options.execution_mode = parallel
    with pytest.raises(pbatch.UnsupportedError, match="set it to ORT_SEQUENTIAL"):
        pbatch.ort.register(options)
    options = pbatch.ort.register(onnxruntime.SessionOptions(), connect=False)
    options.execution_mode = parallel   # behind the back of register()
    session = onnxruntime.InferenceSession(network.model.SerializeToString(), options)
    wanted = run_at(plugin_session(network.model, connect=False), network.feeds, bits=3)
    for _ in range(5):
        try:
            given = run_at(session, network.feeds, bits=3)
        except Exception as error:
            assert "set SessionOptions.execution_mode to ORT_SEQUENTIAL" in str(error)
        else:   # all of it may happen to run in the calling thread
            assert_same_bits(given, wanted)


def test_a_failed_run_leaves_nothing_behind(mlp: Network):
    session = plugin_session(mlp.model)
    wanted = session.run(None, mlp.feeds)
    for _ in range(3):
        with pytest.raises(Exception, match="planes"):
            run_at(session, mlp.feeds, bits=12)
    assert_same_bits(session.run(None, mlp.feeds), wanted)


def resident():
    """Bytes of the process that are in memory."""
    pages = int(pathlib.Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


def test_sessions_come_and_go(mlp: Network):
    _, path = pbatch.quantize(mlp.model, "q.onnx")

    def some(count):
        for i in range(count):
            session = plugin_session(path if i % 2 else mlp.model, threads=1 + i % 2)
            session.run(None, mlp.feeds)
        del session
        gc.collect()
        return resident()

    before = some(100)
    # The weights alone of one session are 250 KB.
    assert some(400) - before < 16e6


def test_sessions_share_nothing(mlp: Network):
    a, b = plugin_session(mlp.model, bits=2), plugin_session(mlp.model, bits=7)
    wanted = [run_at(plugin_session(mlp.model), mlp.feeds, bits=bits) for bits in (2, 7)]
    for _ in range(3):
        assert_same_bits(a.run(None, mlp.feeds), wanted[0])
        assert_same_bits(b.run(None, mlp.feeds), wanted[1])
    del a
    assert_same_bits(b.run(None, mlp.feeds), wanted[1])
