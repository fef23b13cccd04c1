"""One model file, every precision: neural networks on bit-layers, at 1 to 16 weight bits.

    report, model = pbatch.quantize("net.onnx")
    session = pbatch.InferenceSession(model)
    y, = session.run(None, {"x": x}, bits=3)

The distribution is called precisionbatching; the import is pbatch.
"""

from ._distribution import refuse_namesake as _refuse_namesake

_refuse_namesake()

from . import _exit as _exit  # noqa: E402
from ._cascade import (  # noqa: E402
    Cascade,
    CascadeCalibration,
    CascadeRun,
    StageCalibration,
    StageReport,
)
from ._core import (  # noqa: E402
    Layer,
    LayerReport,
    Model,
    NodeArg,
    PlanStep,
    RunOptions,
    SessionOptions,
    StepTime,
    ThreadPool,
    WeightMemory,
    active_isa,
    compiled_isas,
    device_names,
    limit_weight_memory,
    weight_memory,
)
from ._core import version as __version__  # noqa: E402
from ._io_binding import IOBinding, OrtValue  # noqa: E402
from ._onnxruntime import (  # noqa: E402
    ExecutionMode,
    GraphOptimizationLevel,
    get_available_providers,
    get_device,
)
from ._precision import precision  # noqa: E402
from ._quantize import Quantized, QuantizeReport, quantize  # noqa: E402
from ._session import InferenceSession  # noqa: E402
from ._sweep import SweepReport, sweep  # noqa: E402
from .errors import (  # noqa: E402
    Error,
    InternalError,
    InvalidArgumentError,
    IoError,
    MalformedError,
    NotFiniteError,
    NotFoundError,
    OutOfMemoryError,
    PrecisionUnavailableError,
    ShapeMismatchError,
    UnsupportedError,
)

__all__ = [
    "Cascade",
    "CascadeCalibration",
    "CascadeRun",
    "Error",
    "ExecutionMode",
    "GraphOptimizationLevel",
    "IOBinding",
    "InferenceSession",
    "InternalError",
    "InvalidArgumentError",
    "IoError",
    "Layer",
    "LayerReport",
    "MalformedError",
    "Model",
    "NodeArg",
    "NotFiniteError",
    "NotFoundError",
    "OrtValue",
    "OutOfMemoryError",
    "PlanStep",
    "PrecisionUnavailableError",
    "QuantizeReport",
    "Quantized",
    "RunOptions",
    "SessionOptions",
    "ShapeMismatchError",
    "StageCalibration",
    "StageReport",
    "StepTime",
    "SweepReport",
    "ThreadPool",
    "UnsupportedError",
    "WeightMemory",
    "__version__",
    "active_isa",
    "compiled_isas",
    "device_names",
    "get_available_providers",
    "get_device",
    "limit_weight_memory",
    "precision",
    "quantize",
    "sweep",
    "weight_memory",
]
