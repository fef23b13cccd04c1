"""OrtValue and IOBinding."""

import numpy as np
import pytest

import pbatch


def test_arrays_stay_bound_over_runs(session, x):
    binding = session.io_binding()
    binding.bind_cpu_input("x", x)
    result = np.zeros((1, 10), np.float32)
    binding.bind_output("y", "cpu", 0, np.float32, result.shape, result.ctypes.data)
    for bits in (2, 5):
        x += 1
        session.run_with_iobinding(binding, bits=bits)
        np.testing.assert_array_equal(result, session(x, bits=bits))
        assert binding.copy_outputs_to_cpu()[0] is not None


def test_an_output_bound_to_nothing_is_a_new_array(session, x):
    binding = session.io_binding()
    binding.bind_ortvalue_input("x", pbatch.OrtValue.ortvalue_from_numpy(x))
    binding.bind_output("y")
    session.run_with_iobinding(binding, pbatch.RunOptions())
    first, = binding.copy_outputs_to_cpu()
    session.run_with_iobinding(binding)
    second, = binding.get_outputs()
    np.testing.assert_array_equal(first, second.numpy())
    assert not np.shares_memory(first, second.numpy())
    np.testing.assert_array_equal(first, session(x))


def test_values_and_addresses(session, x):
    value = pbatch.OrtValue.ortvalue_from_shape_and_type([1, 10], np.float32)
    binding = session.io_binding()
    binding.bind_input("x", "cpu", 0, np.float32, x.shape, x.ctypes.data)
    binding.bind_ortvalue_output("y", value)
    session.run_with_iobinding(binding)
    np.testing.assert_array_equal(value.numpy(), session(x))
    value.update_inplace(np.ones((1, 10), np.float32))
    assert value.numpy().sum() == 10
    assert value.data_ptr() == value.numpy().ctypes.data
    with pytest.raises(pbatch.InvalidArgumentError):
        value.update_inplace(np.ones((1, 9), np.float32))


def test_what_cannot_be_bound_is_refused(session, x):
    binding = session.io_binding()
    with pytest.raises(pbatch.InvalidArgumentError, match="no output is bound"):
        session.run_with_iobinding(binding)
    for bind in (
        lambda: binding.bind_cpu_input("z", x),
        lambda: binding.bind_output("z"),
        lambda: binding.bind_output("y", buffer_ptr=x.ctypes.data),
        lambda: binding.bind_input("x", "cpu", 0, np.float32, [1, -64], x.ctypes.data),
        lambda: binding.bind_input("x", "cpu", 0, np.float32, [1, 64], 0),
        lambda: binding.bind_input("x", "cpu", 0, np.float32, [1 << 62, 64], x.ctypes.data),
    ):
        with pytest.raises(pbatch.InvalidArgumentError):
            bind()
    with pytest.raises(pbatch.UnsupportedError):
        binding.bind_output("y", "cuda")
