#!/usr/bin/python3
"""Converts the grapheme-to-phoneme GRU of g2p_en to ONNX, and words of CMUdict to its data.

Writes g2p_encoder.onnx and g2p_decoder.onnx and, with --dictionary, g2p.words.txt, g2p.words.npy,
g2p.lengths.npy, g2p.phonemes.npy and g2p.pairs.tsv. Greedy decoding is driven from outside: the
encoder makes the state, the decoder takes a phoneme and a state and gives logits and the next state.
Needs numpy and onnx; --check also needs onnxruntime.
"""

import argparse
import json
import pathlib
import re

import common
import recurrent
from common import np

MAX_PHONEMES = 20  # where g2p_en stops a word that does not end
SHAPES = {
    "enc_emb": ("graphemes", "width"), "dec_emb": ("phonemes", "width"),
    "enc_w_ih": ("gates", "width"), "enc_w_hh": ("gates", "hidden"),
    "enc_b_ih": ("gates",), "enc_b_hh": ("gates",),
    "dec_w_ih": ("gates", "width"), "dec_w_hh": ("gates", "hidden"),
    "dec_b_ih": ("gates",), "dec_b_hh": ("gates",),
    "fc_w": ("phonemes", "hidden"), "fc_b": ("phonemes",),
}


def gru(net, arrays, prefix, **more):
    """Embedding and GRU of the encoder ("enc") or decoder ("dec") over the input tokens [T,B]."""
    tokens = net.input("tokens", common.INT64, ["T", "B"])
    embedded = net.node("Gather", [net.constant("embedding.weight", arrays[f"{prefix}_emb"]),
                                   tokens], "embedded", "embedding")
    weights = recurrent.gru_from_pytorch(*(arrays[f"{prefix}_{part}"] for part in
                                           ("w_ih", "w_hh", "b_ih", "b_hh")))
    return recurrent.add_layer(net, "GRU", weights, embedded, "gru", linear_before_reset=1, **more)


def encoder(arrays):
    """tokens [T,B], lengths [B] -> hn [1,B,hidden], the state after the last token of each word."""
    net = common.Net("g2p_encoder")
    lengths = net.input("lengths", common.INT32, ["B"])
    state, = gru(net, arrays, "enc", lengths=lengths, outputs=("Y_h",))
    recurrent.join_states(net, "hn", [state], arrays["enc_w_hh"].shape[1])
    return net


def decoder(arrays):
    """tokens [T,B], h0 [1,B,hidden] -> logits [T,B,phonemes], hn [1,B,hidden]."""
    net = common.Net("g2p_decoder")
    hidden = arrays["dec_w_hh"].shape[1]
    states = recurrent.split_states(net, "h0", 1, hidden)
    y, state = gru(net, arrays, "dec", states=states, outputs=("Y", "Y_h"))
    out = net.node("Squeeze", [y, net.ints("gru.axis", 1)], "gru.out", "gru.squeeze")
    net.linear(out, arrays["fc_w"].T, arrays["fc_b"], "logits", "fc")
    net.output("logits", common.FLOAT, ["T", "B", len(arrays["fc_b"])])
    recurrent.join_states(net, "hn", [state], hidden)
    return net


def read_dictionary(path):
    """Words of letters and their first pronunciation, in the order of the file."""
    words = {}
    for line in common.read_text(path).splitlines():
        word, _, phonemes = line.partition("#")[0].strip().partition(" ")
        if re.fullmatch("[a-z]+", word) and phonemes:
            words.setdefault(word, phonemes.split())
    return words


def padded(rows, dtype):
    """A matrix of rows of unequal length, filled up with 0."""
    matrix = np.zeros((len(rows), max(map(len, rows))), dtype)
    for line, row in zip(matrix, rows):
        line[:len(row)] = row
    return matrix


def distance(a, b):
    """Insertions, deletions and substitutions that make the list a into b."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        diagonal, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (x != y))
    return row[-1]


def greedy(folder, tokens, lengths, start, stop):
    """Phoneme numbers of each word, by ONNX Runtime, all words at once."""
    state, = common.run_onnx(folder / "g2p_encoder.onnx",
                             {"tokens": np.ascontiguousarray(tokens.T), "lengths": lengths})
    session = common.session(folder / "g2p_decoder.onnx")
    last = np.full((1, len(tokens)), start, np.int64)
    steps = []
    for _ in range(MAX_PHONEMES):
        logits, state = session.run(["logits", "hn"], {"tokens": last, "h0": state})
        last = logits.argmax(axis=2).astype(np.int64)
        steps.append(last[0])
    said = np.array(steps).T.tolist()
    return [row[:row.index(stop)] if stop in row else row for row in said]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True, help="checkpoint20.npz of g2p_en")
    parser.add_argument("--symbols", help="JSON file of the lists graphemes and phonemes (default: "
                        "symbols.json beside the model)")
    parser.add_argument("--dictionary", help="cmudict.dict, to make the evaluation data of")
    parser.add_argument("--words", type=int, default=2000, help="words drawn from the dictionary")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", required=True, help="folder to write to")
    parser.add_argument("--check", action="store_true",
                        help="print phoneme and word error by ONNX Runtime")
    args = parser.parse_args()

    out = pathlib.Path(args.out)
    arrays = common.read_npz(args.model, SHAPES)
    encoder(arrays).save(out / "g2p_encoder.onnx", "encoder of g2p_en (Apache-2.0)")
    decoder(arrays).save(out / "g2p_decoder.onnx", "decoder of g2p_en (Apache-2.0)")
    if not args.dictionary:
        return

    symbols = json.loads(common.read_text(
        args.symbols or pathlib.Path(args.model).parent / "symbols.json"))
    grapheme = {symbol: i for i, symbol in enumerate(symbols["graphemes"])}
    phoneme = {symbol: i for i, symbol in enumerate(symbols["phonemes"])}
    dictionary = read_dictionary(args.dictionary)
    words = sorted(dictionary)
    if len(words) < args.words:
        raise SystemExit(f"{args.dictionary}: has {len(words)} words, fewer than {args.words}")
    chosen = np.random.default_rng(args.seed).choice(len(words), args.words, replace=False)
    words = [words[i] for i in chosen]
    spelled = [[grapheme[letter] for letter in word] + [grapheme["</s>"]] for word in words]
    spoken = [[phoneme[symbol] for symbol in dictionary[word]] for word in words]
    tokens = padded(spelled, np.int64)
    lengths = np.array([len(row) for row in spelled], np.int32)
    (out / "g2p.words.txt").write_text("".join(
        f"{word} {' '.join(dictionary[word])}\n" for word in words))
    common.save_array(out / "g2p.words.npy", tokens)
    common.save_array(out / "g2p.lengths.npy", lengths)
    common.save_array(out / "g2p.phonemes.npy", padded(spoken, np.int64))
    (out / "g2p.pairs.tsv").write_text("".join(
        " ".join(map(str, source)) + "\t" + " ".join(map(str, reference)) + "\n"
        for source, reference in zip(spelled, spoken)))
    if args.check:
        said = greedy(out, tokens, lengths, phoneme["<s>"], phoneme["</s>"])
        errors = [distance(*pair) for pair in zip(said, spoken)]
        wrong = sum(error > 0 for error in errors)
        print(f"phoneme error {100 * sum(errors) / sum(map(len, spoken)):.2f} %, "
              f"word error {100 * wrong / len(words):.2f} %")


if __name__ == "__main__":
    main()
