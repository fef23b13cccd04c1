"""Results beside ONNX Runtime's own and those of the library alone."""

from collections import Counter

import onnxruntime
import pytest
from conftest import (
    assert_same_bits,
    float_session,
    largest_error,
    library_run,
    plugin_session,
    run_at,
)
from networks import Network

import pbatch

PROVIDER = "PbatchExecutionProvider"


def claimed_by(model, **settings):
    """Operators of the nodes that run in the plug-in, and of those that do not."""
    options = onnxruntime.SessionOptions()
    if not hasattr(onnxruntime.InferenceSession, "get_provider_graph_assignment_info"):
        pytest.skip("this onnxruntime does not say where nodes run")
    options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    session = plugin_session(model, options, **settings)
    here, elsewhere = Counter(), Counter()
    for part in session.get_provider_graph_assignment_info():
        ours = part.ep_name == PROVIDER
        (here if ours else elsewhere).update(n.op_type for n in part.get_nodes())
    return here, elsewhere


def test_16_bits_agree_with_float(network: Network):
    wanted = float_session(network.model).run(None, network.feeds)
    session = plugin_session(network.model, bits=16, abits=16)
    assert largest_error(session.run(None, network.feeds), wanted) < 1e-3


def test_fewer_bits_are_what_was_asked_for(network: Network):
    """Each bit halves the error or nearly so; 2 bits are far from float, so nothing ran in it."""
    wanted = float_session(network.model).run(None, network.feeds)
    session = plugin_session(network.model, floor=1)
    errors = [largest_error(run_at(session, network.feeds, bits=b), wanted) for b in (2, 5, 8)]
    assert errors[0] > 0.1 and errors[0] > 3 * errors[1] > 9 * errors[2]


def assert_as_the_library(given, wanted, network, abits):
    """Bit for bit, but for the last digit of what ONNX Runtime computes behind the layers. If a layer
    reads such a value, an activation may be rounded to its neighbour."""
    if network.mixed:
        assert largest_error(given, wanted) < (1e-2 if abits == 8 else 1e-4)
    elif any(node.op_type == "LayerNormalization" for node in network.model.graph.node):
        assert largest_error(given, wanted) < 1e-6
    else:
        assert_same_bits(given, wanted)


@pytest.mark.parametrize("bits,abits", [(1, 8), (3, 16), (4, 8), (4, 16), (8, 8)])
def test_a_float_network_gives_the_librarys_bits(network: Network, bits, abits):
    _, quantized = pbatch.quantize(network.model, scheme="plain")
    wanted = library_run(pbatch.InferenceSession(quantized), network.feeds, bits=bits, abits=abits)
    given = run_at(plugin_session(network.model), network.feeds, bits=bits, abits=abits)
    assert_as_the_library(given, wanted, network, abits)


@pytest.mark.parametrize("bits,abits", [(1, 8), (4, 8), (4, 16), (7, 16)])
def test_a_quantized_file_gives_the_librarys_bits(network: Network, bits, abits):
    _, path = pbatch.quantize(network.model, "q.onnx")
    wanted = library_run(pbatch.InferenceSession(path), network.feeds, bits=bits, abits=abits)
    given = run_at(plugin_session(path), network.feeds, bits=bits, abits=abits)
    assert_as_the_library(given, wanted, network, abits)


def test_only_layers_run_here_if_that_is_asked_for(network: Network):
    here, elsewhere = claimed_by(network.model, connect=False)
    wanted = dict(network.claimed)
    linear = wanted.pop("linear", None)
    if linear is not None:   # a MatMul and an Add, or what ONNX Runtime makes of them
        assert here["MatMul"] + here["Gemm"] == linear
    assert all(here[op] == count for op, count in wanted.items()), here
    connectors = {"Softmax", "LayerNormalization", "Erf", "Transpose", "Squeeze", "Cos"}
    assert not connectors & set(here)
    assert network.whole == (not elsewhere)
    wanted = float_session(network.model).run(None, network.feeds)
    session = plugin_session(network.model, bits=16, connect=False)
    assert largest_error(session.run(None, network.feeds), wanted) < 1e-3


def test_operators_between_layers_run_here(network: Network):
    here, elsewhere = claimed_by(network.model)
    operators = Counter(node.op_type for node in network.model.graph.node)
    if "Softmax" in operators:   # all but the last sum and its normalization
        assert elsewhere == {"Add": 1, "LayerNormalization": 1}
    elif "Squeeze" in operators:
        assert elsewhere == {"Squeeze": 1}
    else:
        assert set(elsewhere) == {"Cos"} & set(operators)


def test_excluded_and_small_layers_stay_with_onnxruntime(mlp: Network):
    here, elsewhere = claimed_by(mlp.model, exclude=["fc1"])
    assert here["Gemm"] == 2 and elsewhere["Gemm"] == 1
    here, elsewhere = claimed_by(mlp.model, min_elements=64 * 256 + 1)
    assert here["Gemm"] == 1 and elsewhere["Gemm"] == 2


def test_a_layer_has_bits_of_its_own(mlp: Network):
    _, quantized = pbatch.quantize(mlp.model, scheme="plain")
    library = pbatch.InferenceSession(quantized)
    wanted = library.run(None, mlp.feeds, bits=3, abits=16, layers={"fc1": (6, 8)})
    session = plugin_session(mlp.model, bits=3, layers={"fc1": (6, 8)})
    assert_same_bits(session.run(None, mlp.feeds), wanted)
    given = run_at(plugin_session(mlp.model), mlp.feeds, bits=3, layers="fc1=6,8")
    assert_same_bits(given, wanted)


def test_batches_of_any_size(mlp: Network):
    session = plugin_session(mlp.model)
    whole, = session.run(None, mlp.feeds)
    for i in range(len(whole)):
        one, = session.run(None, {"x": mlp.feeds["x"][i : i + 1]})
        assert one.tobytes() == whole[i : i + 1].tobytes()
    nothing, = session.run(None, {"x": mlp.feeds["x"][:0]})
    assert nothing.shape == (0, whole.shape[1])


def test_bits_do_not_depend_on_threads(network: Network):
    one = plugin_session(network.model, threads=1).run(None, network.feeds)
    three = plugin_session(network.model, threads=3).run(None, network.feeds)
    assert_same_bits(three, one)
