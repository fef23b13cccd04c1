"""What is said where: provider options, session entries, run options, and what is wrong with them."""

import pathlib
import sys

import numpy as np
import onnx
import onnxruntime
import onnxruntime_ep_pbatch
import pytest
from conftest import assert_same_bits, plugin_session, run_at
from networks import Network

import pbatch
import pbatch.ort


@pytest.mark.parametrize(
    "settings,said",
    [
        ({"bits": 17}, "option 'bits' cannot be '17'; use 1 to 16, or 32 for float"),
        ({"bits": 0}, "option 'bits' cannot be '0'"),
        ({"abits": 9}, "option 'abits' cannot be '9'; use 8, 16 or 32"),
        ({"layers": {"fc1": 40}}, "option 'layers' cannot be 'fc1=40'; write NAME=BITS"),
        ({"planes": 20}, "option 'planes' cannot be '20'; use a number from 1 to 16"),
        ({"group": 48}, "option 'group' cannot be '48'; use auto, 0, 32, 64 or 128"),
        ({"threads": -1}, "option 'threads' cannot be '-1'"),
        ({"cache": "/proc/none"}, "/proc/none: the cache folder cannot be made"),
    ],
)
def test_a_bad_setting_is_one_line(mlp: Network, settings, said):
    with pytest.raises(Exception) as caught:
        plugin_session(mlp.model, **settings)
    assert f"pbatch: {said}" in str(caught.value)
    assert "\n" not in str(caught.value).strip()


@pytest.mark.parametrize(
    "key,value,said",
    [
        ("bits", "many", "option 'bits' cannot be 'many'"),
        ("bits", "", "option 'bits' cannot be ''"),
        ("abits", "12", "option 'abits' cannot be '12'"),
        ("exact", "yes", "option 'exact' cannot be 'yes'; use a number from 0 to 1"),
        ("layers", "fc1", "option 'layers' cannot be 'fc1'"),
        ("layers", "=3", "option 'layers' cannot be '=3'"),
        ("layers", "fc9=3", "no layer is named 'fc9'; the layers are: fc0, fc1, fc2"),
    ],
)
def test_a_bad_run_option_is_one_line(mlp: Network, key, value, said):
    session = plugin_session(mlp.model)
    with pytest.raises(Exception) as caught:
        run_at(session, mlp.feeds, **{key: value})
    assert f"pbatch: {said}" in str(caught.value)


def test_more_bits_than_planes_name_the_layer(mlp: Network):
    with pytest.raises(Exception, match="node 'fc0'.*planes"):
        run_at(plugin_session(mlp.model, planes=4), mlp.feeds, bits=5)


def test_a_nan_names_the_layer(mlp: Network):
    feeds = {"x": np.full((1, 64), np.nan, np.float32)}
    with pytest.raises(Exception, match="node 'fc0'"):
        plugin_session(mlp.model).run(None, feeds)


def test_session_entries_mean_the_same(mlp: Network):
    wanted = plugin_session(mlp.model, bits=3, abits=8).run(None, mlp.feeds)
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("pbatch.bits", "3")
    options.add_session_config_entry("pbatch.abits", "8")
    assert_same_bits(plugin_session(mlp.model, options).run(None, mlp.feeds), wanted)


def test_a_cache_is_made_once_and_gives_the_same(mlp: Network, tmp_path):
    wanted = plugin_session(mlp.model).run(None, mlp.feeds)
    folder = tmp_path / "deep" / "cache"
    assert_same_bits(plugin_session(mlp.model, cache=folder).run(None, mlp.feeds), wanted)
    files = {f: f.stat().st_mtime_ns for f in folder.iterdir()}
    assert sorted(f.suffix for f in files) == [".onnx", ".safetensors"]
    session = plugin_session(mlp.model, cache=folder)
    assert_same_bits(session.run(None, mlp.feeds), wanted)
    assert files == {f: f.stat().st_mtime_ns for f in folder.iterdir()}
    # What is in it is a model like any other.
    model = next(f for f in files if f.suffix == ".onnx")
    layers = [layer.name for layer in pbatch.InferenceSession(model).layers]
    assert layers == ["fc0", "fc1", "fc2"]


def test_a_cache_knows_a_network_wherever_it_lies(mlp: Network, tmp_path):
    for place in ("a.onnx", "b.onnx"):
        onnx.save(mlp.model, place)
        plugin_session(place, cache=tmp_path / "cache")
    assert len(list((tmp_path / "cache").glob("*.onnx"))) == 1


def test_other_weights_and_settings_get_other_files(mlp: Network, tmp_path):
    plugin_session(mlp.model, cache=tmp_path)
    plugin_session(mlp.model, cache=tmp_path, planes=4)
    weights = onnx.numpy_helper.to_array(mlp.model.graph.initializer[0]).copy()
    weights[3, 5] += 0.25
    mlp.model.graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(weights, "fc0.w"))
    plugin_session(mlp.model, cache=tmp_path)
    assert len(list(tmp_path.glob("*.onnx"))) == 3


def test_a_damaged_cache_is_named(mlp: Network, tmp_path):
    plugin_session(mlp.model, cache=tmp_path)
    model, = tmp_path.glob("*.onnx")
    model.write_bytes(b"no model")
    with pytest.raises(Exception, match=model.name):
        plugin_session(mlp.model, cache=tmp_path)


def test_a_quantized_file_needs_the_provider(mlp: Network):
    _, path = pbatch.quantize(mlp.model, "q.onnx")
    options = onnxruntime.SessionOptions()
    options.register_custom_ops_library(onnxruntime_ep_pbatch.get_library_path())
    with pytest.raises(Exception, match="BitLinear runs in PbatchExecutionProvider only"):
        onnxruntime.InferenceSession(path, options)


def test_registering_makes_options_or_takes_them():
    given = onnxruntime.SessionOptions()
    assert pbatch.ort.register(given) is given
    assert isinstance(pbatch.ort.register(), onnxruntime.SessionOptions)


def test_a_missing_plug_in_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime_ep_pbatch", None)
    with pytest.raises(pbatch.NotFoundError, match="install onnxruntime-ep-pbatch"):
        pbatch.ort.register()


def test_a_name_that_is_no_option_is_refused():
    with pytest.raises(pbatch.InvalidArgumentError, match="';' in its name"):
        pbatch.ort.register(layers={"a;b": 3})
    with pytest.raises(TypeError):
        pbatch.ort.register(bit=3)


def test_the_package_says_what_it_is():
    assert pathlib.Path(onnxruntime_ep_pbatch.get_library_path()).is_file()
    assert onnxruntime_ep_pbatch.get_ep_names() == [onnxruntime_ep_pbatch.get_ep_name()]
    pbatch.ort.register()
    names = {device.ep_name for device in onnxruntime.get_ep_devices()}
    assert onnxruntime_ep_pbatch.get_ep_name() in names
