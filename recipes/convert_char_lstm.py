#!/usr/bin/python3
"""Converts ml5's character LSTM (Shakespeare) to ONNX, and a text to its token file.

Writes char_lstm.onnx and, with --text, char_lstm.tokens.npy: streams of characters that follow one
another in the text, one a row. Needs numpy and onnx; --check also needs onnxruntime.
"""

import argparse
import json
import math
import pathlib

import common
import recurrent
from common import np


def read_tensor(folder, manifest, name):
    """A float tensor named in ml5's manifest, from its raw little-endian file."""
    if name not in manifest:
        raise SystemExit(f"{folder}/manifest.json: names no tensor {name}")
    shape = manifest[name]["shape"]
    path = common.existing(folder / manifest[name]["filename"])
    values = np.frombuffer(path.read_bytes(), "<f4")
    if values.size != math.prod(shape):
        raise SystemExit(f"{path}: holds {values.size} floats, but the manifest says {shape}")
    return values.reshape(shape)


def build(folder):
    manifest = json.loads(common.read_text(folder / "manifest.json"))
    layers = []
    while True:
        cell = f"rnnlm/multi_rnn_cell/cell_{len(layers)}/basic_lstm_cell"
        if layers and f"{cell}/weights" not in manifest:
            break
        layers.append(recurrent.lstm_from_tensorflow(
            read_tensor(folder, manifest, f"{cell}/weights"),
            read_tensor(folder, manifest, f"{cell}/biases")))
    return recurrent.language_model(
        "char_lstm", read_tensor(folder, manifest, "embedding"), layers,
        read_tensor(folder, manifest, "rnnlm/softmax_w"),
        read_tensor(folder, manifest, "rnnlm/softmax_b"))


def tokens_of(text, vocabulary, streams, length):
    """The first streams*length characters as a matrix [streams,length] of their numbers."""
    text = text[:streams * length]
    unknown = sorted(set(text) - set(vocabulary))
    if unknown:
        raise SystemExit(f"the text has characters that the network does not know: {unknown}")
    if len(text) < streams * length:
        raise SystemExit(f"the text has {len(text)} characters; {streams} streams of {length} "
                         f"need {streams * length}: choose less by --streams or --length")
    return np.array([vocabulary[c] for c in text], np.int64).reshape(streams, length)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True, help="folder of manifest.json and its tensors")
    parser.add_argument("--vocab", help="JSON file from character to number (default: "
                        "vocab.fixed.json in the model's folder)")
    parser.add_argument("--text", help="text to make the token file of")
    parser.add_argument("--streams", type=int, default=100)
    parser.add_argument("--length", type=int, default=1000, help="characters in a stream")
    parser.add_argument("--out", required=True, help="folder to write to")
    parser.add_argument("--check", action="store_true",
                        help="print the bits per character by ONNX Runtime")
    args = parser.parse_args()

    folder, out = pathlib.Path(args.model), pathlib.Path(args.out)
    build(folder).save(out / "char_lstm.onnx", "character LSTM on Shakespeare, from ml5 (MIT)")
    if not args.text:
        return
    vocabulary = json.loads(common.read_text(args.vocab or folder / "vocab.fixed.json"))
    streams = tokens_of(common.read_text(args.text), vocabulary, args.streams, args.length)
    common.save_array(out / "char_lstm.tokens.npy", streams)
    if args.check:
        loss = recurrent.stream_loss(out / "char_lstm.onnx", streams, 100)
        print(f"{loss / math.log(2):.4f} bits per character")


if __name__ == "__main__":
    main()
