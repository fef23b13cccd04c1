"""OrtValue and IOBinding, as of onnxruntime."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import InvalidArgumentError, UnsupportedError

if TYPE_CHECKING:
    from ._core import RunOptions, Session

Array = np.ndarray[Any, Any]


def _check_device(device_type: str) -> None:
    if device_type != "cpu":
        raise UnsupportedError(
            f"arrays on the device {device_type!r} cannot be bound",
            remedy="bind arrays of the CPU; a session on a GPU copies them",
        )


def _array_at(
    name: str, element_type: Any, shape: Sequence[int] | None, buffer_ptr: int | None
) -> Array:
    """The array that lies at an address. The caller answers for the memory."""
    if element_type is None or shape is None or buffer_ptr is None:
        raise InvalidArgumentError(
            f"'{name}' is bound to an address without its element_type and shape",
            remedy="give element_type, shape and buffer_ptr together",
        )
    dtype = np.dtype(element_type)
    dims = tuple(int(d) for d in shape)
    if any(d < 0 for d in dims) or buffer_ptr < 0:
        raise InvalidArgumentError(f"'{name}' is bound to impossible memory", remedy="check it")
    size = int(np.prod(dims, dtype=object)) * dtype.itemsize
    if size == 0 or buffer_ptr == 0:
        if size != 0:
            raise InvalidArgumentError(f"'{name}' is bound to address 0", remedy="check it")
        return np.empty(dims, dtype)
    if size >= 1 << 62:
        raise InvalidArgumentError(f"'{name}' is bound to {size} bytes", remedy="check its shape")
    memory = (ctypes.c_char * size).from_address(buffer_ptr)
    return np.frombuffer(memory, dtype).reshape(dims)


class OrtValue:
    """A numpy array under onnxruntime's name for it.

    >>> value = pbatch.OrtValue.ortvalue_from_numpy(x)
    >>> value.shape(), value.data_type(), value.device_name()
    ([1, 64], 'tensor(float)', 'cpu')
    """

    def __init__(self, array: Array) -> None:
        self._array = array

    @classmethod
    def ortvalue_from_numpy(
        cls, numpy_obj: Array, device_type: str = "cpu", device_id: int = 0
    ) -> OrtValue:
        """A value over the array's memory."""
        _check_device(device_type)
        return cls(np.asarray(numpy_obj))

    @classmethod
    def ortvalue_from_shape_and_type(
        cls, shape: Sequence[int], element_type: Any, device_type: str = "cpu", device_id: int = 0
    ) -> OrtValue:
        """A value of zeros."""
        _check_device(device_type)
        return cls(np.zeros(tuple(shape), element_type))

    def numpy(self) -> Array:
        """The array itself; nothing is copied."""
        return self._array

    def update_inplace(self, np_arr: Array) -> None:
        """Copies the elements of an array of the same shape and type into this one."""
        if np_arr.shape != self._array.shape or np_arr.dtype != self._array.dtype:
            raise InvalidArgumentError(
                f"an array of {np_arr.dtype} and shape {list(np_arr.shape)} for a value of "
                f"{self._array.dtype} and shape {list(self._array.shape)}",
                remedy="give one that is the same",
            )
        self._array[...] = np_arr

    def shape(self) -> list[int]:
        """Dimensions, outermost first."""
        return list(self._array.shape)

    def data_type(self) -> str:
        """The element type in onnxruntime's words, e.g. "tensor(float)"."""
        name = {"float32": "float", "float64": "double"}.get(
            self._array.dtype.name, self._array.dtype.name
        )
        return f"tensor({name})"

    def data_ptr(self) -> int:
        """The address of the first element."""
        return int(self._array.__array_interface__["data"][0])

    def device_name(self) -> str:
        """"cpu"."""
        return "cpu"

    def is_tensor(self) -> bool:
        """True: there are no other values."""
        return True

    def has_value(self) -> bool:
        """True: there are no empty values."""
        return True


class IOBinding:
    """Inputs and outputs of a session that stay in place over many runs.

    An output that is bound to an array or an address gets the result copied into it; any other is
    a new array after every run.

    >>> binding = session.io_binding()
    >>> binding.bind_cpu_input("x", x)
    >>> result = np.empty((1, 10), np.float32)
    >>> binding.bind_output("y", element_type=np.float32, shape=result.shape,
    ...                     buffer_ptr=result.ctypes.data)
    >>> session.run_with_iobinding(binding, bits=4)
    >>> np.array_equal(result, session.run(None, {"x": x}, bits=4)[0])
    True
    """

    def __init__(self, session: Session) -> None:
        self._inputs = [port.name for port in session.get_inputs()]
        self._outputs = [port.name for port in session.get_outputs()]
        self._feed: dict[str, Any] = {}
        self._into: dict[str, Array | None] = {}
        self._results: dict[str, Array] = {}

    def _known(self, name: str, names: list[str], kind: str) -> None:
        if name not in names:
            raise InvalidArgumentError(
                f"the network has no {kind} '{name}'", remedy=f"its {kind}s are {', '.join(names)}"
            )

    def bind_cpu_input(self, name: str, arr_on_cpu: Any) -> None:
        """Feeds an array, which every run reads as it then is."""
        self._known(name, self._inputs, "input")
        self._feed[name] = arr_on_cpu

    def bind_input(
        self,
        name: str,
        device_type: str,
        device_id: int,
        element_type: Any,
        shape: Sequence[int],
        buffer_ptr: int,
    ) -> None:
        """Feeds the memory at an address, which must stay as long as it is bound."""
        _check_device(device_type)
        self._known(name, self._inputs, "input")
        self._feed[name] = _array_at(name, element_type, shape, buffer_ptr)

    def bind_ortvalue_input(self, name: str, ortvalue: OrtValue) -> None:
        """Feeds a value."""
        self.bind_cpu_input(name, ortvalue.numpy())

    def bind_output(
        self,
        name: str,
        device_type: str = "cpu",
        device_id: int = 0,
        element_type: Any = None,
        shape: Sequence[int] | None = None,
        buffer_ptr: int | None = None,
    ) -> None:
        """Takes an output, into the memory at an address if one is given."""
        _check_device(device_type)
        self._known(name, self._outputs, "output")
        given = buffer_ptr is not None
        self._into[name] = _array_at(name, element_type, shape, buffer_ptr) if given else None

    def bind_ortvalue_output(self, name: str, ortvalue: OrtValue) -> None:
        """Takes an output into a value."""
        self._known(name, self._outputs, "output")
        self._into[name] = ortvalue.numpy()

    def clear_binding_inputs(self) -> None:
        """Forgets the inputs."""
        self._feed.clear()

    def clear_binding_outputs(self) -> None:
        """Forgets the outputs."""
        self._into.clear()
        self._results.clear()

    def synchronize_inputs(self) -> None:
        """Does nothing: memory of the CPU is always in step."""

    def synchronize_outputs(self) -> None:
        """Does nothing: a run has ended when run_with_iobinding returns."""

    def copy_outputs_to_cpu(self) -> list[Array]:
        """The results of the last run, in the order in which the outputs were bound."""
        return list(self._results.values())

    def get_outputs(self) -> list[OrtValue]:
        """The same as values."""
        return [OrtValue(array) for array in self._results.values()]

    def _run(
        self,
        session: Session,
        run_options: RunOptions | None,
        bits: int | None,
        abits: int | None,
        layers: dict[str, int | tuple[int, int]] | None,
    ) -> None:
        if not self._into:
            raise InvalidArgumentError("no output is bound", remedy="call bind_output first")
        names = list(self._into)
        into = {name: array for name, array in self._into.items() if array is not None}
        arrays = session.run(
            names, self._feed, run_options, bits=bits, abits=abits, layers=layers, out=into
        )
        self._results = dict(zip(names, arrays, strict=True))
