"""PyTorch modules over bit-layers.

    model.eval()
    pbatch.torch.quantize_(model)
    with torch.inference_mode(), pbatch.precision(3, abits=8):
        y = model(x)

Needs torch and onnx: the extra "torch" of the distribution precisionbatching.
"""

try:
    import onnx as _onnx  # noqa: F401
    import torch as _torch  # noqa: F401
except ImportError as _error:
    raise ImportError(
        f"pbatch.torch needs the package {_error.name!r}; install torch and onnx"
    ) from _error

from ._embedding import Embedding
from ._linear import Linear
from ._module import BitModule
from ._quantize import quantize_
from ._recurrent import GRU, LSTM, RNN

__all__ = ["GRU", "LSTM", "RNN", "BitModule", "Embedding", "Linear", "quantize_"]
