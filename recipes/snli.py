#!/usr/bin/python3
"""Trains an SNLI classifier with an LSTM encoder on the pairs at hand and exports it.

Writes NAME.onnx, its words (snli.vocabulary.txt, one a line) and the dev set: snli.dev.premise.npy,
snli.dev.premise_lengths.npy, the same of hypothesis, and snli.dev.labels.npy. With --random
nothing is trained: a network of that size, good for measuring speed only; the PrecisionBatching
paper's has --hidden 3072. Needs PyTorch, numpy and onnx; --check also needs onnxruntime.
"""

import argparse
import collections
import pathlib
import re
import time

import common
import recurrent
from common import np

torch = common.package("torch")

LABELS = ("entailment", "neutral", "contradiction")
TRAIN_FILES = ("train18k.tsv", "cat_test2k.tsv", "cad_all_combined_train.tsv")
NUMBERED = {"3": "entailment", "1": "neutral", "2": "contradiction"}
PAD, UNKNOWN = 0, 1


def words_of(sentence):
    """Lower-case words, numbers and marks."""
    return re.findall(r"[a-z0-9]+|[^\sa-z0-9]", sentence.lower())


def read_pairs(path):
    """(premise, hypothesis, label) of a file of pairs, in either of the two column orders."""
    pairs = []
    for row, line in enumerate(common.read_text(path).splitlines(), 1):
        cells = line.split("\t")
        if cells[0] == "sentence1":
            continue
        label = cells[2] if len(cells) == 3 else NUMBERED.get(cells[0])
        if len(cells) not in (3, 4) or label not in LABELS:
            raise SystemExit(f"{path}:{row}: neither 'premise hypothesis label' nor "
                             "'label label premise hypothesis'")
        premise, hypothesis = cells[:2] if len(cells) == 3 else cells[2:]
        pairs.append((words_of(premise), words_of(hypothesis), LABELS.index(label)))
    return pairs


def read_dev(folder):
    columns = [common.read_text(folder / name).splitlines()
               for name in ("s1.dev", "s2.dev", "labels.dev")]
    if len({len(column) for column in columns}) != 1:
        raise SystemExit(f"{folder}: s1.dev, s2.dev and labels.dev differ in length")
    return [(words_of(a), words_of(b), LABELS.index(label)) for a, b, label in zip(*columns)]


class Sentences:
    """Word numbers of one side of the pairs: tokens [N,T], 0 after the end, and lengths [N]."""

    def __init__(self, texts, number):
        rows = [[number.get(word, UNKNOWN) for word in text] or [UNKNOWN] for text in texts]
        self.lengths = torch.tensor([len(row) for row in rows])
        self.tokens = torch.full((len(rows), int(self.lengths.max())), PAD)
        for line, row in zip(self.tokens, rows):
            line[:len(row)] = torch.tensor(row)

    def rows(self, chosen):
        """Tokens, no longer than the longest chosen, and lengths."""
        lengths = self.lengths[chosen]
        return self.tokens[chosen, :int(lengths.max())], lengths


class Pairs:
    def __init__(self, pairs, number):
        premises, hypotheses, labels = zip(*pairs)
        self.premise = Sentences(premises, number)
        self.hypothesis = Sentences(hypotheses, number)
        self.labels = torch.tensor(labels)

    def batches(self, parts):
        for chosen in parts:
            yield *self.premise.rows(chosen), *self.hypothesis.rows(chosen), self.labels[chosen]

    def shuffled(self, size):
        """Random batches of pairs with premises of like length: less time goes into padding."""
        parts = []
        for block in torch.randperm(len(self.labels)).split(50 * size):
            parts += block[self.premise.lengths[block].argsort()].split(size)
        return [parts[i] for i in torch.randperm(len(parts))]


class Classifier(torch.nn.Module):
    """One LSTM for both sentences; their last states, difference and product into an MLP."""

    def __init__(self, vocabulary, width, hidden, dropout):
        super().__init__()
        self.embedding = torch.nn.Embedding(vocabulary, width)
        self.lstm = torch.nn.LSTM(width, hidden)
        self.dropout = torch.nn.Dropout(dropout)
        self.fc1 = torch.nn.Linear(4 * hidden, hidden)
        self.fc2 = torch.nn.Linear(hidden, len(LABELS))
        torch.nn.init.normal_(self.embedding.weight, std=0.1)

    def encode(self, tokens, lengths):
        """Tokens [B,T] to the state [B,hidden] after each sentence's last word."""
        out, _ = self.lstm(self.dropout(self.embedding(tokens.T)))
        return out[lengths - 1, torch.arange(len(lengths), device=out.device)]

    def forward(self, premise, premise_lengths, hypothesis, hypothesis_lengths):
        p = self.encode(premise, premise_lengths)
        h = self.encode(hypothesis, hypothesis_lengths)
        features = torch.cat([p, h, (p - h).abs(), p * h], 1)
        return self.fc2(self.dropout(self.fc1(self.dropout(features)).relu()))


@torch.no_grad()
def accuracy(net, pairs, device):
    net.eval()
    right = 0
    for *inputs, labels in pairs.batches(torch.arange(len(pairs.labels)).split(500)):
        logits = net(*(part.to(device) for part in inputs))
        right += (logits.argmax(1).cpu() == labels).sum().item()
    return 100.0 * right / len(pairs.labels)


def train(net, pairs, dev, args):
    """Adam under a one-cycle learning rate; prints a line an epoch; returns the dev accuracy."""
    optimizer = torch.optim.AdamW(net.parameters(), weight_decay=0.01)
    steps = len(pairs.shuffled(args.batch))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=args.rate,
                                                   total_steps=args.epochs * steps, pct_start=0.2)
    loss_of = torch.nn.CrossEntropyLoss(label_smoothing=0.1)
    begin = time.time()
    score = 0.0
    for epoch in range(args.epochs):
        net.train()
        total = 0.0
        for *inputs, labels in pairs.batches(pairs.shuffled(args.batch)):
            logits = net(*(part.to(args.device) for part in inputs))
            loss = loss_of(logits, labels.to(args.device))
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
            optimizer.step()
            schedule.step()
            total += loss.item() * len(labels)
        score = accuracy(net, dev, args.device)
        print(f"epoch {epoch + 1}/{args.epochs}  loss {total / len(pairs.labels):.4f}  "
              f"dev {score:.2f} %  {time.time() - begin:.0f} s", flush=True)
    return score


def export(net, path, doc):
    """premise and hypothesis [B,T], their lengths [B] -> logits [B,3]."""
    values = {name: p.detach().cpu().numpy() for name, p in net.named_parameters()}
    weights = recurrent.lstm_from_pytorch(*(values[f"lstm.{part}_l0"] for part in
                                            ("weight_ih", "weight_hh", "bias_ih", "bias_hh")))
    graph = common.Net(path.stem)
    graph.constant("embedding.weight", values["embedding.weight"])
    for name, array in zip("WRB", weights):
        graph.constant(f"lstm.{name}", array)
    graph.ints("directions", 0)
    states = []
    for side in ("premise", "hypothesis"):
        tokens = graph.input(side, common.INT64, ["B", f"T_{side}"])
        lengths = graph.input(f"{side}_lengths", common.INT32, ["B"])
        steps = graph.node("Transpose", [tokens], f"{side}.steps", f"{side}.transpose",
                           perm=[1, 0])
        embedded = graph.node("Gather", ["embedding.weight", steps], f"{side}.embedded",
                              f"{side}.embedding")
        state = graph.node("LSTM", [embedded, "lstm.W", "lstm.R", "lstm.B", lengths],
                           ["", f"{side}.last"], f"{side}.lstm",
                           hidden_size=net.lstm.hidden_size)[1]
        states.append(graph.node("Squeeze", [state, "directions"], f"{side}.state",
                                 f"{side}.squeeze"))
    difference = graph.node("Abs", [graph.node("Sub", states, "difference", "subtract")],
                            "distance", "abs")
    product = graph.node("Mul", states, "product", "multiply")
    value = graph.node("Concat", [*states, difference, product], "features", "concat", axis=1)
    for i, out in ((1, "fc1.out"), (2, "logits")):
        value = graph.node("Gemm", [value, graph.constant(f"fc{i}.weight", values[f"fc{i}.weight"]),
                                    graph.constant(f"fc{i}.bias", values[f"fc{i}.bias"])],
                           out, f"fc{i}", transB=1)
        if i == 1:
            value = graph.node("Relu", [value], "relu.out", "relu")
    graph.output("logits", common.FLOAT, ["B", len(LABELS)])
    graph.save(path, doc)


def dev_inputs(dev):
    return {"premise": dev.premise.tokens.numpy(),
            "premise_lengths": dev.premise.lengths.numpy().astype(np.int32),
            "hypothesis": dev.hypothesis.tokens.numpy(),
            "hypothesis_lengths": dev.hypothesis.lengths.numpy().astype(np.int32)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="folder of s1.dev, s2.dev, labels.dev and "
                        + ", ".join(TRAIN_FILES))
    parser.add_argument("--out", required=True, help="folder to write to")
    parser.add_argument("--name", default="snli", help="of the ONNX file")
    parser.add_argument("--hidden", type=int, default=256)
    parser.add_argument("--width", type=int, default=128, help="of the embedding")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rate", type=float, default=2e-3, help="highest learning rate")
    parser.add_argument("--dropout", type=float, default=0.4)
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--random", action="store_true", help="random weights, no training")
    parser.add_argument("--check", action="store_true",
                        help="also compute the dev accuracy by ONNX Runtime")
    args = parser.parse_args()

    torch.manual_seed(1)
    torch.set_num_threads(args.threads)
    torch.set_flush_denormal(True)
    folder, out = pathlib.Path(args.data), pathlib.Path(args.out)
    dev_pairs = read_dev(folder)
    known = {(tuple(a), tuple(b)) for a, b, _ in dev_pairs}
    pairs = [pair for name in TRAIN_FILES for pair in read_pairs(folder / name)
             if (tuple(pair[0]), tuple(pair[1])) not in known]
    counts = collections.Counter(word for a, b, _ in pairs for word in a + b)
    words = ["<pad>", "<unk>"] + sorted(word for word, n in counts.items() if n >= 2)
    number = {word: i for i, word in enumerate(words)}
    data, dev = Pairs(pairs, number), Pairs(dev_pairs, number)
    print(f"{len(pairs)} training pairs, {len(dev_pairs)} of dev, {len(words)} words")
    for name, array in dev_inputs(dev).items():
        common.save_array(out / f"snli.dev.{name}.npy", array)
    common.save_array(out / "snli.dev.labels.npy", dev.labels.numpy())
    (out / "snli.vocabulary.txt").write_text("\n".join(words) + "\n")
    net = Classifier(len(words), args.width, args.hidden, args.dropout).to(args.device)
    path = out / f"{args.name}.onnx"
    if args.random:
        export(net, path, "random weights: for measuring speed only")
        return
    score = train(net, data, dev, args)
    export(net, path, f"SNLI classifier with an LSTM encoder, dev accuracy {score:.2f} %")
    if args.check:
        logits, = common.run_onnx(path, dev_inputs(dev))
        found = 100.0 * (logits.argmax(1) == dev.labels.numpy()).mean()
        print(f"dev accuracy by ONNX Runtime {found:.2f} %")


if __name__ == "__main__":
    main()
