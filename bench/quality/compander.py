#!/usr/bin/env python3
"""Non-uniform levels (a nested compander) against uniform ones on the character LSTM, without pbatch.

    VENV/bin/python bench/quality/compander.py --model shakespeare --text input.txt --vocabulary vocab.fixed.json

--model: the folder that recipes/convert_char_lstm.py takes. For each width, code and size of groups: dB of the outputs of the three
recurrent matrices on text, and bits a character. Every width has codes of its own. Compensated codes: feedback of errors as in
GPTQ, then scales and codes in turn, on the second moments of other text.
"""

import argparse
import json
import math
import pathlib

import numpy as np

STREAMS, STEPS, WARM = 48, 250, 100


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


class CharLstm:
    def __init__(self, model: pathlib.Path, vocabulary: pathlib.Path, text: pathlib.Path):
        manifest = json.loads((model / "manifest.json").read_text())
        load = lambda n: np.fromfile(model / manifest[n]["filename"], "<f4").reshape(manifest[n]["shape"])
        table, self.w, self.bias = load("embedding"), {}, []
        for i in (0, 1):
            cell = f"rnnlm/multi_rnn_cell/cell_{i}/basic_lstm_cell/"
            kernel, bias = load(cell + "weights"), load(cell + "biases").copy()
            bias[256:384] += 1  # of the gate that forgets
            self.w[f"W{i}"], self.w[f"R{i}"] = kernel[:128].T.copy(), kernel[128:].T.copy()
            self.bias.append(bias)
        self.table = table @ self.w.pop("W0").T + self.bias[0]
        self.out, self.out_bias = load("rnnlm/softmax_w").T.copy(), load("rnnlm/softmax_b")
        code, text = json.loads(vocabulary.read_text()), text.read_text()
        take = lambda at, streams, steps: np.array([code[c] for c in text[at:at + streams * steps]]).reshape(streams, steps)
        self.tokens, self.other = take(0, STREAMS, STEPS), take(500_000, 32, 150)

    def run(self, w: dict, tokens: np.ndarray, states: dict | None = None) -> float:
        """Bits a character; `states` gets what the matrices read."""
        h0 = c0 = h1 = c1 = np.zeros((len(tokens), 128), np.float32)
        loss = count = 0
        for s in range(tokens.shape[1] - 1):
            z = self.table[tokens[:, s]] + h0 @ w["R0"].T
            read = [h0]
            i, g, f, o = np.split(z, 4, 1)
            c0 = sigmoid(f) * c0 + sigmoid(i) * np.tanh(g)
            h0 = sigmoid(o) * np.tanh(c0)
            z = h0 @ w["W1"].T + h1 @ w["R1"].T + self.bias[1]
            if states is not None:
                for name, x in zip(("R0", "W1", "R1"), [*read, h0, h1]):
                    states.setdefault(name, []).append(x)
            i, g, f, o = np.split(z, 4, 1)
            c1 = sigmoid(f) * c1 + sigmoid(i) * np.tanh(g)
            h1 = sigmoid(o) * np.tanh(c1)
            if s >= WARM:
                y = h1 @ self.out.T + self.out_bias
                y -= y.max(1, keepdims=True)
                loss -= (y[np.arange(len(tokens)), tokens[:, s + 1]] - np.log(np.exp(y).sum(1))).sum()
                count += len(tokens)
        return loss / max(count, 1) / math.log(2)


def start(w: np.ndarray, compander: bool, n: int, blocks: list) -> tuple:
    """Codes, scales and the table of levels."""
    scale = np.zeros_like(w)
    for a, z in blocks:
        part = w[:, a:z]
        scale[:, a:z] = (np.sqrt((part**2).mean(1)) if compander else np.abs(part).max(1))[:, None]
    if not compander:
        return np.clip(np.floor((w / scale + 1) * 128), 0, 255).astype(int) >> (8 - n), scale, \
            (2 * np.arange(2**n) - (2**n - 1)) / 2**n
    x = w / scale
    phi = np.vectorize(lambda v: 0.5 * (1 + math.erf(v / math.sqrt(2))))
    u = np.clip(np.floor(256 * phi(x / 1.6)), 0, 255).astype(int) >> (8 - n)
    level = np.array([x[u == i].mean() if (u == i).any() else np.nan for i in range(2**n)])
    there = np.flatnonzero(~np.isnan(level))
    level = np.interp(np.arange(2**n), there, level[there])
    level = (level - level[::-1]) / 2
    return u, scale, np.round(level / np.abs(level).max() * 127) / 127


def quantized(w: np.ndarray, compander: bool, n: int, group: int, moments: np.ndarray | None) -> np.ndarray:
    w = w.astype(np.float64)
    cols = w.shape[1]
    blocks = [(a, min(cols, a + group)) for a in range(0, cols, group)]
    u, scale, level = start(w, compander, n, blocks)
    for a, z in blocks:
        q = level[u[:, a:z]]
        scale[:, a:z] = ((w[:, a:z] * q).sum(1) / np.maximum((q * q).sum(1), 1e-30))[:, None]
    if moments is None:
        return scale * level[u]
    h = moments + 0.01 * np.trace(moments) / cols * np.eye(cols)
    order, middle = np.argsort(-np.diag(h)), (level[1:] + level[:-1]) / 2
    upper = np.linalg.cholesky(np.linalg.inv(h[order][:, order])).T
    target = w[:, order].copy()
    for j, c in enumerate(order):
        u[:, c] = np.searchsorted(middle, target[:, j] / scale[:, c])
        target[:, j + 1:] -= ((target[:, j] - scale[:, c] * level[u[:, c]]) / upper[j, j])[:, None] * upper[j, j + 1:]
    for _ in range(2):
        error = w - scale * level[u]
        slope = error @ h
        for a, z in blocks:
            q = level[u[:, a:z]]
            by = ((slope[:, a:z] * q).sum(1) / np.maximum(((q @ h[a:z, a:z]) * q).sum(1), 1e-30))[:, None]
            scale[:, a:z] += by
            error[:, a:z] -= by * q
            slope -= (by * q) @ h[a:z]
        for c in range(cols):
            wanted = w[:, c] + slope[:, c] / h[c, c] - error[:, c]
            u[:, c] = np.searchsorted(middle, wanted / scale[:, c])
            e = w[:, c] - scale[:, c] * level[u[:, c]]
            slope += (e - error[:, c])[:, None] * h[c]
            error[:, c] = e
    return scale * level[u]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    for name in ("model", "text", "vocabulary"):
        parser.add_argument("--" + name, required=True, type=pathlib.Path)
    args = parser.parse_args()
    net = CharLstm(args.model, args.vocabulary, args.text)
    states: dict = {}
    net.run(net.w, net.other, states)
    moments = {}
    for name, x in states.items():
        x = np.concatenate(x)[200:].astype(np.float64)
        moments[name] = x.T @ x / len(x)
    print(f"float: {net.run(net.w, net.tokens):.4f} bits a character")
    for n in (2, 3, 4):
        for compander in (False, True):
            for group in (32, 128):
                for compensated in (False, True):
                    made, db = dict(net.w), []
                    for name, h in moments.items():
                        w = net.w[name].astype(np.float64)
                        q = quantized(w, compander, n, group, h if compensated else None)
                        e = w - q
                        db.append(10 * np.log10(((w @ h) * w).sum() / ((e @ h) * e).sum()))
                        made[name] = q.astype(np.float32)
                    print(f"{n} bits, {'compander' if compander else 'uniform'}, group {group}, "
                          f"{'compensated' if compensated else 'plain'}: {' '.join(f'{x:.2f}' for x in db)} dB, "
                          f"{net.run(made, net.tokens):.4f}", flush=True)


if __name__ == "__main__":
    main()
