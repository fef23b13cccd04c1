"""An execution provider for ONNX Runtime that runs layers on bit-layers, at 1 to 16 weight bits.

    import onnxruntime
    import onnxruntime_ep_pbatch as ep

    onnxruntime.register_execution_provider_library(ep.get_ep_name(), ep.get_library_path())
    devices = [d for d in onnxruntime.get_ep_devices() if d.ep_name == ep.get_ep_name()]
    options = onnxruntime.SessionOptions()
    options.add_provider_for_devices(devices, {"bits": "4", "abits": "8"})
    session = onnxruntime.InferenceSession("net.onnx", options)
"""

import pathlib

__all__ = ["get_ep_name", "get_ep_names", "get_library_path"]


def get_library_path() -> str:
    """The plug-in's shared library, for ``register_execution_provider_library``, and for
    ``SessionOptions.register_custom_ops_library`` where the network is a quantized file."""
    return str(pathlib.Path(__file__).with_name("libonnxruntime_ep_pbatch.so"))


def get_ep_name() -> str:
    """The provider's name, as onnxruntime's devices and sessions have it."""
    return "PbatchExecutionProvider"


def get_ep_names() -> list[str]:
    """All providers of the library: the one."""
    return [get_ep_name()]
