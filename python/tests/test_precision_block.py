"""pbatch.precision: the precision of a block of code."""

import asyncio
import threading

import numpy as np
import pytest

import pbatch


def test_runs_in_a_block_have_its_precision(session, x):
    three, eight = session(x, bits=3, abits=8), session(x, bits=8, abits=8)
    default = session(x, bits=4, abits=16)
    assert not np.array_equal(three, default) and not np.array_equal(eight, three)
    with pbatch.precision(3, abits=8):
        np.testing.assert_array_equal(session(x), three)
        np.testing.assert_array_equal(session.run(None, {"x": x})[0], three)
        assert session.weight_bytes() == session.weight_bytes(bits=3, abits=8)
        step, = [step for step in session.plan() if step.node == "fc1"]
        assert (step.weight_bits, step.activation_bits) == (3, 8)
        with pbatch.precision(8):
            np.testing.assert_array_equal(session(x), eight)
        np.testing.assert_array_equal(session(x, bits=8), eight)
        np.testing.assert_array_equal(session(x), three)
    np.testing.assert_array_equal(session(x), default)
    with pbatch.precision(layers={"fc1": (3, 8)}):
        np.testing.assert_array_equal(session(x), three)
    with pytest.raises(ZeroDivisionError), pbatch.precision(2):
        raise ZeroDivisionError
    np.testing.assert_array_equal(session(x), default)


def test_run_options_go_before_a_block_in_what_they_say(session, x):
    options = pbatch.RunOptions()
    with pbatch.precision(3, abits=8):
        np.testing.assert_array_equal(session.run(None, {"x": x}, options)[0], session(x))
        options.add_run_config_entry("pbatch.bits", "6")
        np.testing.assert_array_equal(
            session.run(None, {"x": x}, options)[0], session(x, bits=6, abits=8)
        )


def test_a_block_is_of_its_thread(session, x):
    wanted = {bits: session(x, bits=bits) for bits in (1, 2, 4, 8)}
    wrong = []

    def work(bits):
        with pbatch.precision(bits):
            for _ in range(50):
                if not np.array_equal(session(x), wanted[bits]):
                    wrong.append(bits)

    threads = [threading.Thread(target=work, args=(bits,)) for bits in wanted]
    for thread in threads:
        thread.start()
    np.testing.assert_array_equal(session(x), wanted[4])
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_block_is_of_its_task(session, x):
    async def work(bits):
        with pbatch.precision(bits):
            await asyncio.sleep(0)
            y = session(x)
            await asyncio.sleep(0)
            return np.array_equal(y, session(x, bits=bits))

    async def both():
        return await asyncio.gather(*(work(bits) for bits in (1, 2, 8)))

    assert asyncio.run(both()) == [True] * 3


@pytest.mark.parametrize(("bits", "abits"), [(0, 8), (17, 8), (True, 8), ("3", 8), (3, 4), (3, 1.0)])
def test_what_no_run_can_have_is_refused(bits, abits):
    with pytest.raises(pbatch.InvalidArgumentError) as caught, pbatch.precision(bits, abits):
        pass
    assert caught.value.remedy


def test_layers_that_are_not_there_are_named(session, x):
    with pbatch.precision(layers={"fc9": 3}), pytest.raises(pbatch.NotFoundError, match="fc9"):
        session(x)
    with pbatch.precision(layers={"fc1": "three"}), pytest.raises(pbatch.InvalidArgumentError):
        session(x)
