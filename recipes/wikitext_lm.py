#!/usr/bin/python3
"""Trains a word-level LSTM language model on WikiText-2 and exports it, state in and state out.

Writes NAME.onnx and the token files wikitext.valid.npy and wikitext.test.npy (wikitext.N.valid.npy
with --vocabulary N). The default, hidden size 2048, is the language model of the PrecisionBatching
paper and wants a GPU; --hidden 256 --epochs 3 --samples 1024 --rate 3e-3 --dropout 0.2 trains on
one CPU core. With --random nothing is trained: a network of that size, good for measuring speed
only. Needs PyTorch, numpy and onnx; --check also needs onnxruntime.
"""

import argparse
import collections
import math
import pathlib
import time

import common
import recurrent
from common import np

torch = common.package("torch")
functional = torch.nn.functional


def read_words(path):
    """The words of a WikiText file, <eos> after each line."""
    return [word for line in common.read_text(path).split("\n")[:-1]
            for word in line.split() + ["<eos>"]]


def load_corpus(folder, size):
    """Numbers of the words of train, valid and test, and the counts of each word in train.

    Words are numbered by falling frequency, equal ones in order of appearance. With `size`, all
    but the most frequent become <unk>.
    """
    words = {split: read_words(pathlib.Path(folder) / f"{split}.txt")
             for split in ("train", "valid", "test")}
    counts = collections.Counter(words["train"])
    kept = [word for word, _ in counts.most_common(size)]
    if "<unk>" not in kept:
        raise SystemExit(f"{folder}: the training text has no <unk> among its words")
    number = {word: i for i, word in enumerate(kept)}
    unknown = number["<unk>"]
    corpus = {split: np.array([number.get(word, unknown) for word in text], np.int64)
              for split, text in words.items()}
    return corpus, np.bincount(corpus["train"], minlength=len(kept))


class LanguageModel(torch.nn.Module):
    """Embedding, LSTM layers and an output projection that shares the embedding's weights."""

    def __init__(self, vocabulary, hidden, layers, dropout, sparse):
        super().__init__()
        self.embedding = torch.nn.Embedding(vocabulary, hidden, sparse=sparse)
        self.lstm = torch.nn.LSTM(hidden, hidden, layers, dropout=dropout if layers > 1 else 0.0)
        self.bias = torch.nn.Parameter(torch.zeros(vocabulary))
        self.dropout = torch.nn.Dropout(dropout)
        torch.nn.init.uniform_(self.embedding.weight, -0.05, 0.05)

    def forward(self, tokens, state):
        """Tokens [T,B] to the last layer's output [T*B,hidden] and the new state."""
        out, state = self.lstm(self.dropout(self.embedding(tokens)), state)
        return self.dropout(out).flatten(0, 1), state

    def loss(self, out, targets):
        """Mean cross entropy over the whole vocabulary."""
        return functional.cross_entropy(functional.linear(out, self.embedding.weight, self.bias),
                                        targets)

    def sampled_loss(self, out, targets, probabilities, samples):
        """Its estimate from the targets and `samples` other words drawn with `probabilities`.

        A word's logit is lowered by the log of how often it is expected among the drawn ones, so
        that the network learns the logits of the full softmax.
        """
        drawn = torch.multinomial(probabilities, samples, replacement=True)
        expected = torch.log(samples * probabilities)
        others = functional.linear(out, self.embedding(drawn), self.bias[drawn] - expected[drawn])
        others = others.masked_fill(targets[:, None] == drawn, -1e9)
        own = (out * self.embedding(targets)).sum(1) + self.bias[targets] - expected[targets]
        return (torch.logsumexp(torch.cat([own[:, None], others], 1), 1) - own).mean()


@torch.no_grad()
def perplexity(net, tokens, device, steps=64):
    """Of one stream from zero states, every word but the first predicted once."""
    net.eval()
    tokens = torch.from_numpy(tokens).to(device)
    total, state = 0.0, None
    for start in range(0, len(tokens) - 1, steps):
        stop = min(start + steps, len(tokens) - 1)
        out, state = net(tokens[start:stop, None], state)
        total += net.loss(out, tokens[start + 1:stop + 1]).item() * (stop - start)
    return math.exp(total / (len(tokens) - 1))


def train(net, corpus, counts, args, path):
    """Adam under a one-cycle learning rate over parallel streams, states carried along.

    Exports the network after every epoch, so that training cut short leaves one.
    """
    rows = len(corpus["train"]) // args.batch
    data = torch.from_numpy(corpus["train"][:rows * args.batch].reshape(args.batch, rows).T.copy())
    data = data.to(args.device)
    probabilities = torch.from_numpy((counts / counts.sum()) ** 0.75).float().to(args.device)
    probabilities /= probabilities.sum()
    steps = (rows - 2) // args.steps + 1
    dense = [p for p in net.parameters() if p is not net.embedding.weight]
    # With a sampled softmax an update touches few rows of the embedding.
    embedding_adam = torch.optim.SparseAdam if args.samples else torch.optim.Adam
    optimizers = [torch.optim.Adam(dense), embedding_adam([net.embedding.weight])]
    schedules = [torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=args.rate, total_steps=args.epochs * steps, pct_start=0.1,
        cycle_momentum=False) for optimizer in optimizers]
    begin = time.time()
    for epoch in range(args.epochs):
        net.train()
        total, state = 0.0, None
        for step in range(steps):
            start = step * args.steps
            stop = min(start + args.steps, rows - 1)
            out, state = net(data[start:stop], state)
            state = tuple(part.detach() for part in state)
            targets = data[start + 1:stop + 1].flatten()
            loss = (net.sampled_loss(out, targets, probabilities, args.samples) if args.samples
                    else net.loss(out, targets))
            net.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(dense, 1.0)
            for stepper in optimizers + schedules:
                stepper.step()
            total += loss.item()
            if step % 50 == 49:
                print(f"epoch {epoch + 1}/{args.epochs}  step {step + 1}/{steps}  "
                      f"loss {total / (step + 1):.4f}  {time.time() - begin:.0f} s", flush=True)
        done = (f"epoch {epoch + 1}/{args.epochs}, perplexity of the first 20,000 words of valid "
                f"{perplexity(net, corpus['valid'][:20000], args.device):.2f}")
        print(f"{done}  {time.time() - begin:.0f} s", flush=True)
        export(net, path, f"word-level LSTM on WikiText-2, {done}")


def export(net, path, doc):
    parameters = {name: p.detach().cpu().numpy() for name, p in net.named_parameters()}
    layers = [recurrent.lstm_from_pytorch(*(parameters[f"lstm.{part}_l{i}"] for part in
                                            ("weight_ih", "weight_hh", "bias_ih", "bias_hh")))
              for i in range(net.lstm.num_layers)]
    embedding = parameters["embedding.weight"]
    recurrent.language_model(path.stem, embedding, layers, embedding.T,
                             parameters["bias"]).save(path, doc)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="folder of train.txt, valid.txt, test.txt")
    parser.add_argument("--out", required=True, help="folder to write to")
    parser.add_argument("--name", default="wikitext_lm", help="of the ONNX file")
    parser.add_argument("--hidden", type=int, default=2048, help="also the embedding's width")
    parser.add_argument("--layers", type=int, default=1)
    parser.add_argument("--vocabulary", type=int, help="most frequent words to keep (default: all)")
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--batch", type=int, default=32, help="streams trained side by side")
    parser.add_argument("--steps", type=int, default=35, help="words between two updates")
    parser.add_argument("--rate", type=float, default=1e-3, help="highest learning rate")
    parser.add_argument("--dropout", type=float, default=0.65)
    parser.add_argument("--samples", type=int, default=0,
                        help="words drawn for a sampled softmax (default: 0, the full one)")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--random", action="store_true", help="random weights, no training")
    parser.add_argument("--check", action="store_true",
                        help="also compute the perplexities by ONNX Runtime")
    args = parser.parse_args()

    torch.manual_seed(1)
    torch.set_num_threads(args.threads)
    torch.set_flush_denormal(True)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    corpus, counts = load_corpus(args.data, args.vocabulary)
    print("words:", ", ".join(f"{len(t)} in {split}" for split, t in corpus.items()),
          f"; vocabulary {len(counts)}")
    out = pathlib.Path(args.out)
    prefix = f"wikitext.{args.vocabulary}" if args.vocabulary else "wikitext"
    for split in ("valid", "test"):
        common.save_array(out / f"{prefix}.{split}.npy", corpus[split])
    net = LanguageModel(len(counts), args.hidden, args.layers, args.dropout,
                        sparse=args.samples > 0).to(args.device)
    path = out / f"{args.name}.onnx"
    if args.random:
        export(net, path, "random weights: for measuring speed only")
        return
    train(net, corpus, counts, args, path)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    scores = {split: perplexity(net, corpus[split], args.device) for split in ("valid", "test")}
    doc = ", ".join(f"{split} perplexity {score:.2f}" for split, score in scores.items())
    export(net, path, f"word-level LSTM on WikiText-2, {doc}")
    print(doc)
    if args.check:
        for split in scores:
            loss = recurrent.stream_loss(path, corpus[split][None], 256)
            print(f"{split} perplexity by ONNX Runtime {math.exp(loss):.2f}")


if __name__ == "__main__":
    main()
