"""What the recipes share: finding packages and files, IDX data, and writing ONNX files."""

import gzip
import importlib
import pathlib
import struct


def package(name):
    """The imported Python package, or one clear line that says which one is missing."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        name = (error.name or name).partition(".")[0]
        raise SystemExit(f"the Python package {name} is missing: pip install {name}") from None


np = package("numpy")
onnx = package("onnx")
numpy_helper = package("onnx.numpy_helper")

IDX_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
FLOAT, INT32, INT64 = onnx.TensorProto.FLOAT, onnx.TensorProto.INT32, onnx.TensorProto.INT64


def existing(path):
    """The path of a file that is there; otherwise the recipe ends with one line about it."""
    path = pathlib.Path(path)
    if not path.is_file():
        raise SystemExit(f"{path}: no such file; docs/recipes.md says where the data comes from")
    return path


def read_idx(path):
    """The array in an IDX file, which may be gzipped."""
    path = existing(path)
    with (gzip.open if path.suffix == ".gz" else open)(path, "rb") as file:
        zero, kind, rank = struct.unpack(">HBB", file.read(4))
        if zero != 0 or kind not in IDX_TYPES:
            raise SystemExit(f"{path}: not an IDX file")
        shape = struct.unpack(f">{rank}I", file.read(4 * rank))
        return np.frombuffer(file.read(), IDX_TYPES[kind]).reshape(shape)


def read_text(path):
    """The text of a UTF-8 file, line ends as they are."""
    return existing(path).read_bytes().decode("utf-8")


def read_npz(path, shapes):
    """The float arrays of an .npz file under the names in `shapes`.

    `shapes` maps a name to its shape; a letter in a shape is a size that all arrays agree on.
    """
    path = existing(path)
    try:
        with np.load(path) as file:
            arrays = {name: file[name] for name in file.files}
    except (ValueError, OSError, EOFError) as error:
        raise SystemExit(f"{path}: not an .npz file ({error})") from None
    sizes = {}
    for name, shape in shapes.items():
        if name not in arrays:
            raise SystemExit(f"{path}: has no array {name}; it has {', '.join(arrays)}")
        found = arrays[name].shape
        wanted = tuple(sizes.setdefault(size, got) if isinstance(size, str) else size
                       for size, got in zip(shape, found))
        if len(found) != len(shape) or found != wanted:
            raise SystemExit(f"{path}: {name} has shape {found}, not {shape} as the recipe expects")
    return {name: arrays[name].astype(np.float32) for name in shapes}


def save_array(path, array):
    """Writes an .npy file and says what is in it."""
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, array)
    print(f"{path}: {array.dtype} {list(array.shape)}")


class Net:
    """An ONNX graph under construction: opset 13, the tensors named by the caller."""

    def __init__(self, name):
        self.name = name
        self.nodes, self.initializers, self.inputs, self.outputs = [], [], [], []

    def input(self, name, dtype, shape):
        self.inputs.append(onnx.helper.make_tensor_value_info(name, dtype, shape))
        return name

    def output(self, name, dtype, shape):
        self.outputs.append(onnx.helper.make_tensor_value_info(name, dtype, shape))

    def constant(self, name, array):
        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def ints(self, name, *values):
        return self.constant(name, np.array(values, np.int64))

    def node(self, operator, inputs, outputs, name, **attributes):
        """Adds a node; `outputs` is a name or a list of names and is returned."""
        names = [outputs] if isinstance(outputs, str) else outputs
        self.nodes.append(onnx.helper.make_node(operator, inputs, names, name, **attributes))
        return outputs

    def linear(self, value, weight, bias, out, name):
        """out = value · weight + bias over the last axis of a value of any rank."""
        product = self.node("MatMul", [value, self.constant(f"{name}.weight", weight)],
                            f"{name}.product", name)
        return self.node("Add", [product, self.constant(f"{name}.bias", bias)], out,
                         f"{name}.add")

    def graph(self):
        return onnx.helper.make_graph(self.nodes, self.name, self.inputs, self.outputs,
                                      self.initializers)

    def save(self, path, doc=""):
        """Checks the graph, writes it and prints the size of the file."""
        model = onnx.helper.make_model(self.graph(), producer_name="pbatch recipes",
                                       doc_string=doc, ir_version=7,
                                       opset_imports=[onnx.helper.make_opsetid("", 13)])
        onnx.checker.check_model(model)
        path = pathlib.Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        onnx.save(model, str(path))
        print(f"{path}: {path.stat().st_size} bytes")


def run_onnx(path, feeds, outputs=None):
    """The outputs of an ONNX file by ONNX Runtime on one thread, as a list."""
    return session(path).run(outputs, feeds)


def session(path):
    """An ONNX Runtime session of one thread."""
    runtime = package("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
