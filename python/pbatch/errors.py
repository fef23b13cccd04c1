"""Exceptions, one class for each error code of the library.

>>> try:
...     pbatch.InferenceSession("no_such.onnx")
... except pbatch.Error as error:
...     print(type(error).__name__, error.code, error.file)
...     print(error)
NotFoundError not_found no_such.onnx
no_such.onnx: cannot open the file: No such file or directory; check the path
"""


class Error(Exception):
    """What went wrong, where, and what to do about it; str() is one line that says all of it.

    Attributes:
        code: the error code, e.g. "shape_mismatch"; each has a class of its own.
        message: what is wrong.
        remedy: what to do; may be empty.
        file: the file at fault; empty if there is none.
        node: the network's node at fault; empty if there is none.
    """

    code = ""
    message: str
    remedy: str
    file: str
    node: str

    def __init__(
        self, message: str, *, remedy: str = "", file: str = "", node: str = "", line: str = ""
    ) -> None:
        super().__init__(line or (f"{message}; {remedy}" if remedy else message))
        self.message = message
        self.remedy = remedy
        self.file = file
        self.node = node

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.message, self.remedy, self.file, self.node, str(self))


class InvalidArgumentError(Error, ValueError):
    """The caller passed something that can never work."""

    code = "invalid_argument"


class NotFoundError(Error, LookupError):
    """A file, a tensor or a layer of that name does not exist."""

    code = "not_found"


class IoError(Error, OSError):
    """The operating system refused a read or a write."""

    code = "io"


class MalformedError(Error, ValueError):
    """A file is damaged, truncated or hostile."""

    code = "malformed"


class UnsupportedError(Error, RuntimeError):
    """Valid input that this build or machine cannot run."""

    code = "unsupported"


class ShapeMismatchError(Error, ValueError):
    """An array does not have the shape that the network needs."""

    code = "shape_mismatch"


class PrecisionUnavailableError(Error, ValueError):
    """More bit-layers asked for than the file holds."""

    code = "precision_unavailable"


class NotFiniteError(Error, ArithmeticError):
    """A NaN or an infinity among weights or inputs."""

    code = "not_finite"


class OutOfMemoryError(Error, MemoryError):
    """An allocation failed."""

    code = "out_of_memory"


class InternalError(Error, RuntimeError):
    """A bug in pbatch: please report it."""

    code = "internal"


_CLASSES: dict[str, type[Error]] = {
    c.code: c
    for c in (
        InvalidArgumentError,
        NotFoundError,
        IoError,
        MalformedError,
        UnsupportedError,
        ShapeMismatchError,
        PrecisionUnavailableError,
        NotFiniteError,
        OutOfMemoryError,
        InternalError,
    )
}


def from_status(
    code: str, message: str, remedy: str = "", file: str = "", node: str = "", line: str = ""
) -> Error:
    """The exception for an error of the library."""
    return _CLASSES.get(code, InternalError)(
        message, remedy=remedy, file=file, node=node, line=line
    )


def _rebuild(
    kind: type[Error], message: str, remedy: str, file: str, node: str, line: str
) -> Error:
    return kind(message, remedy=remedy, file=file, node=node, line=line)
