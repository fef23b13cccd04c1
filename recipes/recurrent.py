"""Recurrent layers in ONNX: gate orders of TensorFlow and PyTorch, streaming networks."""

import common
from common import np

FORGET_BIAS = 1.0  # TensorFlow's LSTM cells add it when they run; the weights do not hold it


def reorder(rows, gates, source, target):
    """Gate blocks of the first axis from the order `source` to the order `target`, as letters."""
    blocks = dict(zip(source, np.split(rows, gates)))
    return np.concatenate([blocks[gate] for gate in target])


def lstm_from_tensorflow(kernel, bias):
    """W, R, B of ONNX from a kernel [input+hidden, 4*hidden] with gates i, j (cell), f, o."""
    hidden = kernel.shape[1] // 4
    if hidden * 4 != kernel.shape[1] or bias.shape != (4 * hidden,) or kernel.shape[0] <= hidden:
        raise SystemExit(f"an LSTM kernel of shape {kernel.shape} and a bias of shape {bias.shape} "
                         "do not belong together")
    return lstm_weights(kernel[:-hidden], kernel[-hidden:], bias)


def lstm_weights(from_input, from_state, bias):
    """W, R, B of ONNX from TensorFlow's kernel, its input and its state part apart."""
    def gates(columns):
        return reorder(columns.T, 4, "ijfo", "iofj")

    bias = reorder(bias, 4, "ijfo", "iofj").copy()
    units = len(bias) // 4
    bias[2 * units:3 * units] += FORGET_BIAS
    return (gates(from_input)[None], gates(from_state)[None],
            np.concatenate([bias, np.zeros_like(bias)])[None])


def gru_from_tensorflow(gates_kernel, gates_bias, candidate_kernel, candidate_bias):
    """W, R, B of ONNX (linear_before_reset=0) from the kernels of GRUCell: gates r and u.

    Its new state is u*h + (1-u)*c, as ONNX's with z = u; the candidate reads r*h.
    """
    hidden = candidate_kernel.shape[1]
    rows = np.concatenate([reorder(gates_kernel.T, 2, "ru", "ur"), candidate_kernel.T])
    bias = np.concatenate([reorder(gates_bias, 2, "ru", "ur"), candidate_bias])
    return (rows[None, :, :-hidden], rows[None, :, -hidden:],
            np.concatenate([bias, np.zeros_like(bias)])[None])


def gru_from_pytorch(w_ih, w_hh, b_ih, b_hh):
    """W, R, B of ONNX (linear_before_reset=1) from PyTorch's, gates r, z, n."""
    def gates(rows):
        return reorder(rows, 3, "rzn", "zrn")

    return gates(w_ih)[None], gates(w_hh)[None], np.concatenate([gates(b_ih), gates(b_hh)])[None]


def lstm_from_pytorch(w_ih, w_hh, b_ih, b_hh):
    """W, R, B of ONNX from PyTorch's, gates i, f, g, o."""
    def gates(rows):
        return reorder(rows, 4, "ifgo", "iofg")

    return gates(w_ih)[None], gates(w_hh)[None], np.concatenate([gates(b_ih), gates(b_hh)])[None]


def add_layer(net, operator, weights, value, name, lengths="", states=(), outputs=("Y",), **more):
    """An LSTM or GRU node over a value [T,B,I]; returns its outputs, named NAME.Y and so on.

    `states` are the names of the initial states, `outputs` those of Y, Y_h, Y_c that are wanted.
    """
    w, r, b = weights
    inputs = [value, net.constant(f"{name}.W", w), net.constant(f"{name}.R", r),
              net.constant(f"{name}.B", b), lengths, *states]
    peepholes = more.pop("peepholes", None)
    if peepholes is not None:
        inputs += [""] * (7 - len(inputs)) + [net.constant(f"{name}.P", peepholes)]
    while not inputs[-1]:
        inputs.pop()
    kinds = ("Y", "Y_h", "Y_c")
    names = [f"{name}.{kind}" if kind in outputs else "" for kind in kinds]
    while not names[-1]:
        names.pop()
    net.node(operator, inputs, names, name, hidden_size=r.shape[2], **more)
    return [f"{name}.{kind}" for kind in outputs]


def split_states(net, name, layers, hidden):
    """Graph input [layers,B,hidden]; returns the names of the layers' parts [1,B,hidden]."""
    net.input(name, common.FLOAT, [layers, "B", hidden])
    if layers == 1:
        return [name]
    return net.node("Split", [name], [f"{name}.{i}" for i in range(layers)], f"split_{name}",
                    axis=0)


def join_states(net, name, parts, hidden):
    """Graph output [layers,B,hidden] of the layers' last states."""
    operator = "Concat" if len(parts) > 1 else "Identity"
    more = {"axis": 0} if len(parts) > 1 else {}
    net.node(operator, parts, name, f"join_{name}", **more)
    net.output(name, common.FLOAT, [len(parts), "B", hidden])


def language_model(name, embedding, layers, out_weight, out_bias):
    """The net tokens [T,B], h0, c0 -> logits [T,B,V], hn, cn: embedding, LSTM layers, projection.

    States are [layers,B,hidden]: hn and cn of a run are h0 and c0 of the next. `layers` holds W, R
    and B of each; `out_weight` is [hidden,V].
    """
    hidden = layers[0][1].shape[2]
    net = common.Net(name)
    tokens = net.input("tokens", common.INT64, ["T", "B"])
    h = split_states(net, "h0", len(layers), hidden)
    c = split_states(net, "c0", len(layers), hidden)
    value = net.node("Gather", [net.constant("embedding.weight", embedding), tokens], "embedded",
                     "embedding")
    last_h, last_c = [], []
    for i, weights in enumerate(layers):
        label = f"lstm{i + 1}"
        y, h_n, c_n = add_layer(net, "LSTM", weights, value, label, states=(h[i], c[i]),
                                outputs=("Y", "Y_h", "Y_c"))
        # Y is [T,directions,B,hidden].
        value = net.node("Squeeze", [y, net.ints(f"{label}.axis", 1)], f"{label}.out",
                         f"{label}.squeeze")
        last_h.append(h_n)
        last_c.append(c_n)
    net.linear(value, out_weight, out_bias, "logits", "projection")
    net.output("logits", common.FLOAT, ["T", "B", out_weight.shape[1]])
    join_states(net, "hn", last_h, hidden)
    join_states(net, "cn", last_c, hidden)
    return net


def cross_entropy(logits, targets):
    """Sum over all positions of -log softmax(logits)[target], in nats."""
    logits = logits.reshape(-1, logits.shape[-1]).astype(np.float64)
    logits -= logits.max(axis=1, keepdims=True)
    chosen = logits[np.arange(len(logits)), targets.reshape(-1)]
    return float((np.log(np.exp(logits).sum(axis=1)) - chosen).sum())


def stream_loss(path, streams, steps):
    """Mean loss in nats of a language model file over token streams [S,N], `steps` at a time.

    Each stream starts from zero states, which then go from run to run; every token but the first
    of its stream is predicted once.
    """
    session = common.session(path)
    shape = {i.name: i.shape for i in session.get_inputs()}["h0"]
    h = c = np.zeros((shape[0], len(streams), shape[2]), np.float32)
    total = 0.0
    last = streams.shape[1] - 1
    for start in range(0, last, steps):
        stop = min(start + steps, last)
        tokens = np.ascontiguousarray(streams[:, start:stop].T)
        logits, h, c = session.run(["logits", "hn", "cn"], {"tokens": tokens, "h0": h, "c0": c})
        total += cross_entropy(logits, streams[:, start + 1:stop + 1].T)
    return total / (len(streams) * last)
