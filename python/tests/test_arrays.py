"""Arrays in and out: what is copied, what is refused, what stays right."""

import ml_dtypes
import numpy as np
import pytest
from conftest import expected, identity, model_of
from onnx import TensorProto, helper

import pbatch

TYPES = {
    "float32": TensorProto.FLOAT, "int8": TensorProto.INT8, "uint8": TensorProto.UINT8,
    "int16": TensorProto.INT16,
    "uint16": TensorProto.UINT16, "int32": TensorProto.INT32, "uint32": TensorProto.UINT32,
    "int64": TensorProto.INT64, "uint64": TensorProto.UINT64, "bool": TensorProto.BOOL,
}  # fmt: skip


@pytest.mark.parametrize("dtype", TYPES)
def test_every_type_comes_back(dtype):
    session = pbatch.InferenceSession(identity(TYPES[dtype], [2, 3]))
    given = np.array([[0, 1, 2], [3, 4, 120]]).astype(dtype)
    y = session(given)
    assert y.dtype == given.dtype
    np.testing.assert_array_equal(y, given)
    assert session.get_inputs()[0].dtype == dtype


@pytest.mark.parametrize("name", ["DOUBLE", "FLOAT16", "BFLOAT16"])
def test_networks_of_other_floats_take_and_give_float32(name):
    session = pbatch.InferenceSession(identity(getattr(TensorProto, name), [3]))
    assert session.get_inputs()[0].dtype == "float32"
    np.testing.assert_array_equal(session(np.float32([1.5, -2, 3])), [1.5, -2, 3])
    for given in (np.zeros(3), np.zeros(3, np.float16), np.zeros(3, ml_dtypes.bfloat16)):
        with pytest.raises(pbatch.InvalidArgumentError, match="takes float32"):
            session(given)


def layouts(x):
    big = np.zeros((4, 130), x.dtype)
    big[::3, 1:129:2] = x[:2]
    misaligned = np.frombuffer(b"?" + x.tobytes(), np.uint8)[1:].view(x.dtype).reshape(x.shape)
    read_only = x.copy()
    read_only.flags.writeable = False
    return {
        "in order": x,
        "columns first": np.asfortranarray(x),
        "every other": big[::3, 1:129:2],
        "backwards": x[::-1, ::-1].copy()[::-1, ::-1],
        "repeated rows": np.broadcast_to(x[0], (2, 64)),
        "misaligned": misaligned,
        "read-only": read_only,
        "other byte order": x.astype(">f4"),
        "memoryview": memoryview(x),
        "lists": x.tolist(),
    }


@pytest.mark.parametrize("layout", layouts(np.zeros((2, 64), np.float32)))
def test_every_layout_gives_the_right_answer(session, layout):
    x = np.random.default_rng(3).standard_normal((2, 64)).astype(np.float32)
    given = layouts(x)[layout]
    plain = np.ascontiguousarray(given, dtype=np.float32).reshape(2, 64)
    np.testing.assert_array_equal(session(given, bits=8), session(plain, bits=8))
    error = session(given, bits=8) - expected(plain)
    assert np.linalg.norm(error) < 0.02 * np.linalg.norm(expected(plain))


class OnlyDlpack:
    """An array of a library that is not numpy."""

    def __init__(self, array):
        self._array = array

    def __dlpack__(self, **options):
        return self._array.__dlpack__(**options)

    def __dlpack_device__(self):
        return self._array.__dlpack_device__()


def test_dlpack_in_and_out(session, x):
    y = session(OnlyDlpack(x))
    np.testing.assert_array_equal(y, session(x))
    np.testing.assert_array_equal(np.from_dlpack(y), y)
    result = np.empty((1, 10), np.float32)
    session(x, out={"y": OnlyDlpack(result)})
    np.testing.assert_array_equal(result, y)


def test_arrays_in_order_are_read_in_place_and_results_are_not_shared(x):
    session = pbatch.InferenceSession(identity(TensorProto.FLOAT, [1, 64]))
    y = session(x)
    assert y.flags.writeable and y.flags.c_contiguous
    y[:] = 7
    assert not np.shares_memory(x, y) and not np.any(x == 7)


def test_a_result_that_is_a_constant_of_the_model_may_be_overwritten():
    constant = np.arange(40, dtype=np.float32)
    node = helper.make_node("Add", ["x", "x"], ["z"], name="twice")
    session = pbatch.InferenceSession(
        model_of(
            [node],
            [("x", TensorProto.FLOAT, [1])],
            [("z", TensorProto.FLOAT, [1]), ("c", TensorProto.FLOAT, [40])],
            {"c": constant},
        )
    )
    for _ in range(2):
        z, c = session(np.ones(1, np.float32))
        np.testing.assert_array_equal(z, [2])
        np.testing.assert_array_equal(c, constant)
        c[:] = -1


def test_results_outlive_the_session(x):
    session = pbatch.InferenceSession("net.pbatch.onnx")
    y = session(x)
    before = y.copy()
    session.close()
    del session
    np.testing.assert_array_equal(y, before)


@pytest.mark.parametrize("shape", [(0, 64), (3, 0), ()])
def test_zero_sizes_and_scalars(shape):
    session = pbatch.InferenceSession(identity(TensorProto.FLOAT, list(shape)))
    y = session(np.ones(shape, np.float32))
    assert y.shape == shape


def test_an_empty_batch_gives_an_empty_answer_or_an_error(session):
    try:
        assert session(np.empty((0, 64), np.float32)).shape == (0, 10)
    except pbatch.Error as error:
        assert error.remedy


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_refused_by_bit_layers(session, x, value):
    x[0, 5] = value
    with pytest.raises(pbatch.NotFiniteError) as caught:
        session(x, bits=4)
    assert caught.value.node == "fc1"
    assert caught.value.file.endswith("net.pbatch.onnx")


def test_huge_arrays_are_refused_without_memory(session):
    huge = np.broadcast_to(np.float32(1), (1 << 40, 64))
    with pytest.raises(pbatch.Error) as caught:
        session(huge)
    assert caught.value.code in ("out_of_memory", "invalid_argument")
    with pytest.raises(pbatch.ShapeMismatchError):
        session(np.broadcast_to(np.float32(1), (1, 1 << 20)))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (np.zeros((1, 64)), "input 'x' is float64 but the network takes float32"),
        (np.zeros((1, 64), np.complex64), "input 'x' is complex64 but the network takes float32"),
        (np.zeros((1, 64), object), "input 'x' is an array of object but the network takes"),
        (np.array([["a"] * 64]), "input 'x' is an array of <U1 but the network takes"),
        (np.zeros((1, 64), "M8[s]"), "input 'x' is an array of datetime64"),
        ([["a"] * 64], "input 'x' is a list but the network takes float32"),
        ([[1.0], [1.0, 2.0]], "input 'x' is a list but the network takes float32"),
        (None, "input 'x' is a NoneType but the network takes float32"),
        ("x.npy", "input 'x' is a str but the network takes float32"),
        (object(), "input 'x' is a object but the network takes float32"),
    ],
)
def test_a_wrong_type_names_the_input_and_both_types(session, given, words):
    with pytest.raises(pbatch.InvalidArgumentError) as caught:
        session.run(None, {"x": given})
    assert words in str(caught.value)
    assert caught.value.remedy


def test_a_wrong_shape_names_the_input_and_both_shapes(session):
    with pytest.raises(pbatch.ShapeMismatchError) as caught:
        session.run(None, {"x": np.zeros((1, 63), np.float32)})
    assert "input 'x' has shape [1, 63] but the network takes [batch, 64]" in str(caught.value)


def test_an_array_cannot_be_resized_while_a_run_reads_it(session):
    """numpy and bytearray refuse it as long as the run holds the memory."""
    memory = bytearray(64 * 4)
    view = np.frombuffer(memory, np.float32).reshape(1, 64)
    session(view)
    with pytest.raises(BufferError):
        memory.extend(b"more")
    del view
    memory.extend(b"more")  # the run kept nothing


class Meddler(OnlyDlpack):
    """An array whose reading empties the dictionary that it comes in."""

    def __init__(self, array, dictionary):
        super().__init__(array)
        self._dictionary = dictionary

    def __dlpack__(self, **options):
        self._dictionary.clear()
        return super().__dlpack__(**options)


def test_dictionaries_may_change_while_they_are_read():
    node = helper.make_node("Sub", ["a", "b"], ["y"], name="sub")
    ports = [(name, TensorProto.FLOAT, [3]) for name in "aby"]
    session = pbatch.InferenceSession(model_of([node], ports[:2], ports[2:]))
    feed, out = {}, {}
    for name, value in (("a", [1, 2, 3]), ("b", [0, 1, 5])):
        feed[name] = Meddler(np.array(value, np.float32), feed)
    out["y"] = given = Meddler(np.zeros(3, np.float32), out)
    y, = session.run(None, feed, out=out)
    assert y is given and not feed and not out
    np.testing.assert_array_equal(np.from_dlpack(y), [1, 1, -2])


@pytest.mark.parametrize("strided", [False, True])
def test_preallocated_results(session, x, strided):
    wanted = session(x)
    result = np.zeros((1, 20), np.float32)[:, ::2] if strided else np.zeros((1, 10), np.float32)
    y, = session.run(None, {"x": x}, out={"y": result})
    assert y is result
    np.testing.assert_array_equal(result, wanted)


def test_preallocated_results_that_do_not_fit_are_refused(session, x):
    read_only = np.zeros((1, 10), np.float32)
    read_only.flags.writeable = False
    for out, kind, words in (
        ({"y": read_only}, pbatch.InvalidArgumentError, "read-only"),
        ({"y": np.zeros((1, 10))}, pbatch.InvalidArgumentError, "is float64 but the network gives"),
        ({"y": np.zeros((1, 9), np.float32)}, pbatch.ShapeMismatchError, "[1, 9]"),
        ({"y": [0.0] * 10}, pbatch.InvalidArgumentError, "is a list"),
        ({"z": np.zeros((1, 10), np.float32)}, pbatch.InvalidArgumentError, "no output 'z'"),
        ([np.zeros((1, 10), np.float32)], pbatch.InvalidArgumentError, "no dictionary"),
    ):
        with pytest.raises(kind) as caught:
            session.run(None, {"x": x}, out=out)
        assert words in str(caught.value)
