#!/usr/bin/python3
"""Exports small networks of several kinds, with inputs and reference outputs, for try-outs.

For each network NAME: NAME.onnx, NAME.INPUT.npy for every input and NAME.expected.npy with
PyTorch's answer. Weights are random with a fixed seed. Needs PyTorch with its ONNX exporter
(Debian: python3-torch python3-onnx).
"""

import argparse
import pathlib

import numpy as np
import torch
from torch import nn


class LeNet(nn.Module):
    """Convolutions with batch norm and max pooling, then linear layers."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 8, 5, padding=2), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(8, 32, 5), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2))
        self.head = nn.Sequential(nn.Flatten(), nn.Linear(800, 120), nn.ReLU(),
                                  nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10))

    def forward(self, x):
        return self.head(self.features(x))


class ResidualConv(nn.Module):
    """Strided, depthwise and pointwise convolutions with a skip connection."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 3, stride=2, padding=1, bias=False),
                                  nn.BatchNorm2d(16), nn.ReLU6())
        self.block = nn.Sequential(
            nn.Conv2d(16, 16, 3, padding=1, groups=16, bias=False), nn.BatchNorm2d(16),
            nn.Hardswish(), nn.Conv2d(16, 16, 1, bias=False), nn.BatchNorm2d(16))
        self.widen = nn.Conv2d(16, 64, 3, stride=2, padding=1, dilation=1)
        self.head = nn.Linear(64, 10)

    def forward(self, x):
        x = self.stem(x)
        x = torch.relu(self.block(x) + x)
        x = torch.sigmoid(self.widen(x))
        return self.head(nn.functional.adaptive_avg_pool2d(x, 1).flatten(1))


class Encoder(nn.Module):
    """One transformer encoder block over embedded tokens, pre-norm."""

    def __init__(self, vocabulary=100, width=64, heads=4):
        super().__init__()
        self.heads = heads
        self.embedding = nn.Embedding(vocabulary, width)
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query_key_value = nn.Linear(width, 3 * width)
        self.project = nn.Linear(width, width)
        self.feed = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(),
                                  nn.Linear(4 * width, width))
        self.head = nn.Linear(width, vocabulary)

    def forward(self, tokens):
        x = self.embedding(tokens)
        n, length, width = x.shape
        q, k, v = (t.view(n, length, self.heads, -1).transpose(1, 2)
                   for t in self.query_key_value(self.norm1(x)).chunk(3, -1))
        scores = q @ k.transpose(-1, -2) / (width // self.heads) ** 0.5
        mixed = (scores.softmax(-1) @ v).transpose(1, 2).reshape(n, length, width)
        x = x + self.project(mixed)
        x = x + self.feed(self.norm2(x))
        return self.head(x).log_softmax(-1)


class Signal(nn.Module):
    """1-d convolutions, one of them grouped, and an average over time."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv1d(4, 32, 9, stride=2, padding=4), nn.ELU(),
            nn.Conv1d(32, 64, 5, padding=4, dilation=2, groups=4), nn.LeakyReLU(0.1),
            nn.AvgPool1d(2), nn.Conv1d(64, 64, 1), nn.Tanh())
        self.head = nn.Linear(64, 5)

    def forward(self, x):
        return self.head(self.layers(x).mean(-1)).softmax(-1)


class ResidualMlp(nn.Module):
    """Linear layers with skip connections, clamped and gated."""

    def __init__(self):
        super().__init__()
        self.enter = nn.Linear(40, 96)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Linear(96, 192), nn.Softplus(), nn.Linear(192, 96))
            for _ in range(3))
        self.gate = nn.Linear(96, 96)
        self.leave = nn.Linear(96, 7)

    def forward(self, x):
        x = self.enter(x)
        for block in self.blocks:
            x = x + block(x).clamp(-3, 3)
        return self.leave(x * torch.sigmoid(self.gate(x)))


def randomize_norms(net):
    """Gives batch norms running statistics that are not the identity."""
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.3)
            module.running_var.uniform_(0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.2)


def export(folder, name, net, values, opset, input_name, dynamic):
    randomize_norms(net)
    net.eval()
    with torch.no_grad():
        expected = net(values)
    torch.onnx.export(net, (values,), str(folder / f"{name}.onnx"), opset_version=opset,
                      input_names=[input_name], output_names=["output"],
                      training=torch.onnx.TrainingMode.PRESERVE,   # keeps batch norms apart
                      dynamic_axes={input_name: dynamic, "output": {0: "N"}} if dynamic else None)
    np.save(folder / f"{name}.{input_name}.npy", values.numpy())
    np.save(folder / f"{name}.expected.npy", expected.numpy())
    print(f"{name}: opset {opset}, input {list(values.shape)}, output {list(expected.shape)}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", required=True, help="folder to write into")
    args = parser.parse_args()
    folder = pathlib.Path(args.out)
    folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    torch.manual_seed(7)
    rows = {0: "N"}
    export(folder, "lenet", LeNet(), torch.rand(4, 1, 28, 28), 13, "image", rows)
    export(folder, "lenet_fixed", LeNet(), torch.rand(1, 1, 28, 28), 7, "image", None)
    export(folder, "residual_conv", ResidualConv(), torch.rand(2, 3, 32, 32), 14, "image", rows)
    tokens = torch.randint(0, 100, (2, 12))
    export(folder, "encoder", Encoder(), tokens, 17, "tokens", {0: "N", 1: "L"})
    export(folder, "encoder_opset11", Encoder(), tokens, 11, "tokens", {0: "N", 1: "L"})
    export(folder, "signal", Signal(), torch.randn(3, 4, 160), 13, "signal", rows)
    export(folder, "residual_mlp", ResidualMlp(), torch.randn(5, 40), 17, "x", rows)
    export(folder, "residual_mlp_opset7", ResidualMlp(), torch.randn(5, 40), 7, "x", rows)


if __name__ == "__main__":
    main()
