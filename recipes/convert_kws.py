#!/usr/bin/python3
"""Converts the keyword-spotting networks of ARM's ML-KWS-for-MCU to ONNX.

Reads DNN, Basic_LSTM, LSTM, GRU and CRNN, sizes S and M, as .npz of the constants of their frozen
graphs ("|" for "/" in the names). Writes kws_NAME.onnx, input [N,time*10] of MFCC to logits
[N,12], and beside it kws_NAME.input.npy, made up, and kws_NAME.expected.npy, what the graph's
arithmetic gives in numpy. The LSTM has a projection, which ONNX's LSTM has not: kws_LSTM_*.onnx
is a Scan, kws_LSTM_*_folded.onnx an ONNX LSTM whose R is projection times recurrent kernel, the
same function with more weights. Needs numpy and onnx; --check also needs onnxruntime.
"""

import argparse
import pathlib

import common
import recurrent
from common import np

COEFFICIENTS = 10
KEYWORDS = 12
# Frames of 40 ms in the second of sound: every 40 ms or every 20 ms.
FRAMES = {"DNN_S": 25, "DNN_M": 25, "Basic_LSTM_S": 49, "Basic_LSTM_M": 49, "LSTM_S": 25,
          "LSTM_M": 49, "GRU_S": 25, "GRU_M": 49, "CRNN_S": 49, "CRNN_M": 49}
CONV_STRIDES = (2, 2)
GRU = "rnn|multi_rnn_cell|cell_{}|gru_cell|"
PROJECTED = "lstm|rnn|lstm_cell|"


def gru_shapes(layers):
    shapes = {}
    for i in range(layers):
        cell = GRU.format(i)
        shapes |= {cell + "gates|kernel": (f"in{i}", "gates"), cell + "gates|bias": ("gates",),
                   cell + "candidate|kernel": (f"in{i}", "units"),
                   cell + "candidate|bias": ("units",)}
    return shapes


OUT = {"W_o": ("units", KEYWORDS), "b_o": (KEYWORDS,)}
SHAPES = {
    "DNN": {"fc1|W": ("in", "a"), "fc1|b": ("a",), "fc2|W": ("a", "b"), "fc2|b": ("b",),
            "fc3|W": ("b", "c"), "fc3|b": ("c",), "final_fc": ("c", KEYWORDS),
            "Variable": (KEYWORDS,)},
    "Basic_LSTM": OUT | {"lstm|rnn|basic_lstm_cell|kernel": ("in", "gates"),
                         "lstm|rnn|basic_lstm_cell|bias": ("gates",)},
    "LSTM": {PROJECTED + "kernel": ("in", "gates"), PROJECTED + "bias": ("gates",),
             PROJECTED + "w_i_diag": ("cells",), PROJECTED + "w_f_diag": ("cells",),
             PROJECTED + "w_o_diag": ("cells",), PROJECTED + "projection|kernel":
             ("cells", "units")} | OUT,
    "GRU": OUT | gru_shapes(1),
    "CRNN": {"W": ("height", "width", 1, "maps"), "Variable": ("maps",), "fcw": ("units", "fc"),
             "Variable_1": ("fc",), "Variable_2": ("fc", KEYWORDS), "Variable_3": (KEYWORDS,)}
            | gru_shapes(2),
}


def frames_of(net, frames):
    """Frames [time,N,coefficients] of the input [N,time*coefficients]."""
    value = net.node("Reshape", ["input", net.ints("frames.shape", -1, frames, COEFFICIENTS)],
                     "frames", "reshape")
    return net.node("Transpose", [value], "steps", "transpose", perm=[1, 0, 2])


def last_state(net, operator, weights, value, name, **more):
    """State [N,units] after the last step."""
    state, = recurrent.add_layer(net, operator, weights, value, name, outputs=("Y_h",), **more)
    return net.node("Squeeze", [state, net.ints(f"{name}.axis", 0)], f"{name}.state",
                    f"{name}.squeeze")


def fully_connected(net, value, weight, bias, name, out, relu):
    value = net.node("Gemm", [value, net.constant(f"{name}.weight", weight),
                              net.constant(f"{name}.bias", bias)],
                     f"{name}.out" if relu else out, name)
    return net.node("Relu", [value], out, f"{name}.relu") if relu else value


def gru_weights(a, layer):
    cell = GRU.format(layer)
    return recurrent.gru_from_tensorflow(a[cell + "gates|kernel"], a[cell + "gates|bias"],
                                         a[cell + "candidate|kernel"], a[cell + "candidate|bias"])


def add_dnn(net, a, frames):
    value = "input"
    for i in (1, 2, 3):
        value = fully_connected(net, value, a[f"fc{i}|W"], a[f"fc{i}|b"], f"fc{i}", f"fc{i}.relu",
                                relu=True)
    fully_connected(net, value, a["final_fc"], a["Variable"], "fc4", "logits", relu=False)


def add_basic_lstm(net, a, frames):
    weights = recurrent.lstm_from_tensorflow(a["lstm|rnn|basic_lstm_cell|kernel"],
                                             a["lstm|rnn|basic_lstm_cell|bias"])
    state = last_state(net, "LSTM", weights, frames_of(net, frames), "lstm")
    fully_connected(net, state, a["W_o"], a["b_o"], "fc", "logits", relu=False)


def add_gru(net, a, frames):
    state = last_state(net, "GRU", gru_weights(a, 0), frames_of(net, frames), "gru")
    fully_connected(net, state, a["W_o"], a["b_o"], "fc", "logits", relu=False)


def add_crnn(net, a, frames):
    height, width, _, maps = a["W"].shape
    image = net.node("Reshape", ["input", net.ints("image.shape", -1, 1, frames, COEFFICIENTS)],
                     "image", "reshape")
    value = net.node("Conv", [image, net.constant("conv.weight", a["W"].transpose(3, 2, 0, 1)),
                              net.constant("conv.bias", a["Variable"])], "conv.out", "conv",
                     strides=CONV_STRIDES)
    value = net.node("Relu", [value], "conv.relu", "conv.relu")
    # [N,maps,time,frequency] to [time,N,frequency*maps]: TensorFlow's images end with the maps.
    value = net.node("Transpose", [value], "conv.steps", "transpose", perm=[2, 0, 3, 1])
    columns = (COEFFICIENTS - width) // CONV_STRIDES[1] + 1
    value = net.node("Reshape", [value, net.ints("steps.shape", 0, 0, columns * maps)], "steps",
                     "flatten")
    y, = recurrent.add_layer(net, "GRU", gru_weights(a, 0), value, "gru1")
    value = net.node("Squeeze", [y, net.ints("gru1.axis", 1)], "gru1.out", "gru1.squeeze")
    state = last_state(net, "GRU", gru_weights(a, 1), value, "gru2")
    value = fully_connected(net, state, a["fcw"], a["Variable_1"], "fc1", "fc1.relu", relu=True)
    fully_connected(net, value, a["Variable_2"], a["Variable_3"], "fc2", "logits", relu=False)


def lstm_parts(a):
    """Kernel for the input and for the projected state, and the projection."""
    projection = a[PROJECTED + "projection|kernel"]
    kernel = a[PROJECTED + "kernel"]
    return kernel[:-projection.shape[1]], kernel[-projection.shape[1]:], projection


def add_folded_lstm(net, a, frames):
    from_input, from_state, projection = lstm_parts(a)
    folded = (projection.astype(np.float64) @ from_state).astype(np.float32)
    weights = recurrent.lstm_weights(from_input, folded, a[PROJECTED + "bias"])
    peepholes = np.concatenate([a[PROJECTED + f"w_{gate}_diag"] for gate in "iof"])[None]
    state = last_state(net, "LSTM", weights, frames_of(net, frames), "lstm", peepholes=peepholes)
    value = net.node("MatMul", [state, net.constant("projection.weight", projection)], "projected",
                     "projection")
    fully_connected(net, value, a["W_o"], a["b_o"], "fc", "logits", relu=False)


def add_lstm(net, a, frames):
    from_input, from_state, projection = lstm_parts(a)
    cells, units = projection.shape
    bias = a[PROJECTED + "bias"].copy()
    bias[2 * cells:3 * cells] += recurrent.FORGET_BIAS  # gates i, j (cell), f, o
    gates = net.linear(frames_of(net, frames), from_input, bias, "input_gates", "input_part")
    batch = net.node("Gather", [net.node("Shape", ["input"], "input.shape", "shape"),
                                net.ints("first", 0)], "batch", "batch_size")
    zeros = {}
    for state, size in (("h", units), ("c", cells)):
        shape = net.node("Concat", [batch, net.ints(f"{state}.size", size)], f"{state}.shape",
                         f"{state}.shape", axis=0)
        zeros[state] = net.node("ConstantOfShape", [shape], f"{state}.zeros", f"{state}.zeros")
    last, _ = net.node("Scan", [zeros["h"], zeros["c"], gates], ["last_h", "last_c"], "lstm",
                       body=lstm_step(a, from_state, projection), num_scan_inputs=1)
    fully_connected(net, last, a["W_o"], a["b_o"], "fc", "logits", relu=False)


def lstm_step(a, from_state, projection):
    """The body of the Scan: h [N,units], c [N,cells], the input's part of the gates."""
    cells, units = projection.shape
    body = common.Net("lstm_step")
    h = body.input("h", common.FLOAT, ["N", units])
    c = body.input("c", common.FLOAT, ["N", cells])
    part = body.input("input_part", common.FLOAT, ["N", 4 * cells])
    product = body.node("MatMul", [h, body.constant("recurrent.weight", from_state)],
                        "state_part", "recurrent")
    gates = body.node("Add", [part, product], "gates", "gates")
    i, j, f, o = body.node("Split", [gates], ["i", "j", "f", "o"], "split", axis=1)

    def gate(name, value, cell):
        peephole = body.node("Mul", [cell, body.constant(f"{name}.diag", a[PROJECTED +
                                                         f"w_{name}_diag"])],
                             f"{name}.peephole", f"{name}.peephole")
        return body.node("Sigmoid", [body.node("Add", [value, peephole], f"{name}.sum",
                                               f"{name}.sum")], f"{name}.gate", f"{name}.gate")

    kept = body.node("Mul", [gate("f", f, c), c], "kept", "keep")
    fresh = body.node("Mul", [gate("i", i, c), body.node("Tanh", [j], "j.tanh", "j.tanh")],
                      "fresh", "write")
    new_c = body.node("Add", [kept, fresh], "new_c", "cell")
    shown = body.node("Mul", [gate("o", o, new_c), body.node("Tanh", [new_c], "c.tanh", "c.tanh")],
                      "shown", "read")
    body.node("MatMul", [shown, body.constant("projection.weight", projection)], "new_h",
              "projection")
    body.output("new_h", common.FLOAT, ["N", units])
    body.output("new_c", common.FLOAT, ["N", cells])
    return body.graph()


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


def run_gru(a, layer, steps):
    """States [time,N,units] by the arithmetic of TensorFlow's GRUCell."""
    cell = GRU.format(layer)
    h = np.zeros((steps.shape[1], len(a[cell + "candidate|bias"])))
    states = []
    for x in steps:
        gates = sigmoid(np.hstack([x, h]) @ a[cell + "gates|kernel"] + a[cell + "gates|bias"])
        r, u = np.hsplit(gates, 2)
        candidate = np.tanh(np.hstack([x, r * h]) @ a[cell + "candidate|kernel"]
                            + a[cell + "candidate|bias"])
        h = u * h + (1 - u) * candidate
        states.append(h)
    return np.array(states)


def run_lstm(a, cell, steps):
    """Last state by the arithmetic of TensorFlow's BasicLSTMCell and LSTMCell."""
    kernel, bias = a[cell + "kernel"], a[cell + "bias"]
    peephole = {gate: a.get(f"{cell}w_{gate}_diag", 0.0) for gate in "ifo"}
    c = np.zeros((steps.shape[1], len(bias) // 4))
    h = np.zeros((steps.shape[1], kernel.shape[0] - steps.shape[2]))
    for x in steps:
        i, j, f, o = np.hsplit(np.hstack([x, h]) @ kernel + bias, 4)
        c = (sigmoid(f + recurrent.FORGET_BIAS + peephole["f"] * c) * c
             + sigmoid(i + peephole["i"] * c) * np.tanh(j))
        h = sigmoid(o + peephole["o"] * c) * np.tanh(c)
        if cell + "projection|kernel" in a:
            h = h @ a[cell + "projection|kernel"]
    return h


def reference(kind, arrays, data, frames):
    """Logits by the graph's arithmetic in numpy, in double precision."""
    a = {name: array.astype(np.float64) for name, array in arrays.items()}
    data = data.astype(np.float64)
    steps = data.reshape(len(data), frames, COEFFICIENTS).transpose(1, 0, 2)
    if kind == "DNN":
        for i in (1, 2, 3):
            data = np.maximum(data @ a[f"fc{i}|W"] + a[f"fc{i}|b"], 0)
        return data @ a["final_fc"] + a["Variable"]
    if kind == "CRNN":
        height, width, _, _ = a["W"].shape
        down, across = CONV_STRIDES
        kernel = a["W"][:, :, 0]
        maps = [[np.tensordot(steps[t:t + height, :, k:k + width], kernel, ((0, 2), (0, 1)))
                 for k in range(0, COEFFICIENTS - width + 1, across)]
                for t in range(0, frames - height + 1, down)]
        image = np.maximum(np.array(maps) + a["Variable"], 0)  # time, frequency, N, maps
        steps = image.transpose(0, 2, 1, 3).reshape(len(image), len(data), -1)
        state = run_gru(a, 1, run_gru(a, 0, steps))[-1]
        return np.maximum(state @ a["fcw"] + a["Variable_1"], 0) @ a["Variable_2"] + a["Variable_3"]
    if kind == "GRU":
        state = run_gru(a, 0, steps)[-1]
    else:
        state = run_lstm(a, PROJECTED if kind == "LSTM" else "lstm|rnn|basic_lstm_cell|", steps)
    return state @ a["W_o"] + a["b_o"]


def made_up_sound(frames, examples):
    """Slowly changing rows of the size of MFCC: the first coefficient largest."""
    noise = np.random.default_rng(0).normal(size=(examples, frames + 4, COEFFICIENTS))
    smooth = sum(noise[:, i:i + frames] for i in range(5)) / 5 ** 0.5
    return (smooth * 8 / np.arange(1, COEFFICIENTS + 1)).reshape(examples, -1).astype(np.float32)


BUILDERS = {"DNN": [("", add_dnn)], "Basic_LSTM": [("", add_basic_lstm)], "GRU": [("", add_gru)],
            "CRNN": [("", add_crnn)], "LSTM": [("", add_lstm), ("_folded", add_folded_lstm)]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True, help="folder of the .npz files")
    parser.add_argument("--out", required=True, help="folder to write to")
    parser.add_argument("--examples", type=int, default=64, help="rows of the made-up input")
    parser.add_argument("--check", action="store_true", help="compare with numpy by ONNX Runtime")
    args = parser.parse_args()

    out = pathlib.Path(args.out)
    for name, frames in FRAMES.items():
        kind = name.rpartition("_")[0]
        arrays = common.read_npz(pathlib.Path(args.model) / f"{name}.npz", SHAPES[kind])
        data = made_up_sound(frames, args.examples)
        expected = reference(kind, arrays, data, frames)
        common.save_array(out / f"kws_{name}.input.npy", data)
        common.save_array(out / f"kws_{name}.expected.npy", expected.astype(np.float32))
        for suffix, build in BUILDERS[kind]:
            path = out / f"kws_{name}{suffix}.onnx"
            net = common.Net(path.stem)
            net.input("input", common.FLOAT, ["N", frames * COEFFICIENTS])
            build(net, arrays, frames)
            net.output("logits", common.FLOAT, ["N", KEYWORDS])
            net.save(path, f"{name} of ML-KWS-for-MCU (Apache-2.0)")
            if args.check:
                found, = common.run_onnx(path, {"input": data})
                print(f"  largest difference from numpy {np.abs(found - expected).max():.1e} of "
                      f"logits up to {np.abs(expected).max():.0f}")


if __name__ == "__main__":
    main()
