#!/usr/bin/python3
"""Trains 784-1024-1024-10 on Fashion-MNIST and exports the network of `make demo`.

Needs PyTorch, numpy and onnx (Debian: python3-torch python3-onnx dataset-fashion-mnist).
"""

import argparse
import pathlib

import mlp
from mlp import torch

HERE = pathlib.Path(__file__).resolve().parent


def flip_half(rows):
    """Mirrors every second image, on average: a mirrored shoe is a shoe."""
    images = rows.view(-1, 28, 28)
    mirrored = torch.rand(len(images), 1, 1) < 0.5
    return torch.where(mirrored, images.flip(2), images).view(len(images), -1)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="/usr/share/datasets/fashion-mnist",
                        help="folder of the four IDX .gz files (default: %(default)s)")
    parser.add_argument("--out", default=str(HERE.parent / "models" / "fashion_mnist.onnx"))
    parser.add_argument("--hidden", type=int, default=1024, help="units of both hidden layers")
    parser.add_argument("--epochs", type=int, default=16)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()

    torch.manual_seed(1)
    torch.set_num_threads(args.threads)
    torch.set_flush_denormal(True)
    data = mlp.load_images(args.data)
    net = mlp.mlp([784, args.hidden, args.hidden, 10], dropout=0.25)
    mlp.train(net, data, epochs=args.epochs, batch=256, peak_rate=2e-3, weight_decay=0.02,
              smoothing=0.05, augment=flip_half)
    mlp.round_to_half(net)
    score = mlp.accuracy(net, data[2], data[3])
    print(f"test accuracy with half-precision weights: {score:.2f} %")
    mlp.export_mlp(net, args.out, "fashion_mnist", half=True,
                   doc=f"784-{args.hidden}-{args.hidden}-10 on Fashion-MNIST, test accuracy {score:.2f} %")


if __name__ == "__main__":
    main()
