#!/usr/bin/python3
"""Trains the MNIST network of the PrecisionBatching paper, 784-4096-4096-10, and exports it.

Needs PyTorch, numpy and onnx, and the four IDX .gz files of MNIST in one folder. The file is
about 81 MB, too much for version control.
"""

import argparse

import mlp
from mlp import torch


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="folder of the four IDX .gz files")
    parser.add_argument("--out", required=True, help="the ONNX file to write")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()

    torch.manual_seed(1)
    torch.set_num_threads(args.threads)
    torch.set_flush_denormal(True)
    data = mlp.load_images(args.data)
    net = mlp.mlp([784, 4096, 4096, 10], dropout=0.2)
    score = mlp.train(net, data, epochs=args.epochs, batch=256, peak_rate=1e-3,
                      weight_decay=0.01, smoothing=0.0)
    mlp.export_mlp(net, args.out, "mnist_4096", half=False,
                   doc=f"784-4096-4096-10 on MNIST, test accuracy {score:.2f} %")


if __name__ == "__main__":
    main()
