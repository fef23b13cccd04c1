"""Fully connected networks: their image data, training with PyTorch, ONNX export."""

import pathlib
import time

import common
from common import np

torch = common.package("torch")


def load_images(folder):
    """Training and test images as pixels/255, one row each, and their labels."""
    folder = pathlib.Path(folder)
    parts = []
    for split in ("train", "t10k"):
        images = common.read_idx(folder / f"{split}-images-idx3-ubyte.gz")
        labels = common.read_idx(folder / f"{split}-labels-idx1-ubyte.gz")
        pixels = images.reshape(len(images), -1).astype(np.float32) / 255
        parts += [torch.from_numpy(pixels), torch.from_numpy(labels.astype(np.int64))]
    return parts


def mlp(widths, dropout):
    """Linear layers with ReLU and dropout between them."""
    layers = []
    for i, (fan_in, fan_out) in enumerate(zip(widths, widths[1:])):
        if i > 0:
            layers += [torch.nn.ReLU(), torch.nn.Dropout(dropout)]
        layers.append(torch.nn.Linear(fan_in, fan_out))
    return torch.nn.Sequential(*layers)


@torch.no_grad()
def accuracy(net, images, labels):
    """Percent of the images whose largest logit is the label's."""
    net.eval()
    right = sum((net(x).argmax(1) == y).sum().item()
                for x, y in zip(images.split(1000), labels.split(1000)))
    return 100.0 * right / len(labels)


def train(net, data, epochs, batch, peak_rate, weight_decay, smoothing, augment=None):
    """Adam under a one-cycle learning rate; prints a line an epoch; returns the test accuracy."""
    images, labels, test_images, test_labels = data
    optimizer = torch.optim.AdamW(net.parameters(), weight_decay=weight_decay)
    steps = (len(images) + batch - 1) // batch
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=peak_rate, total_steps=epochs * steps, pct_start=0.2)
    loss_of = torch.nn.CrossEntropyLoss(label_smoothing=smoothing)
    start = time.time()
    score = 0.0
    for epoch in range(epochs):
        net.train()
        total = 0.0
        for chosen in torch.randperm(len(images)).split(batch):
            x = images[chosen]
            if augment is not None:
                x = augment(x)
            loss = loss_of(net(x), labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item() * len(chosen)
        score = accuracy(net, test_images, test_labels)
        print(f"epoch {epoch + 1:2d}/{epochs}  loss {total / len(images):.4f}  "
              f"test {score:.2f} %  {time.time() - start:.0f} s", flush=True)
    return score


def round_to_half(net):
    """Rounds every parameter to half precision, as `half=True` of the export stores it."""
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(parameter.half().float())


def export_mlp(net, path, name, half, doc=""):
    """Writes the linear layers of `net` as Gemm and Relu nodes, batch dimension free.

    With `half`, weights are stored in half precision, each behind a Cast to float: the file is
    half as long and every reader still computes in float.
    """
    linears = [m for m in net if isinstance(m, torch.nn.Linear)]
    graph = common.Net(name)

    def constant(label, parameter):
        values = parameter.detach().numpy()
        if not half:
            return graph.constant(label, values)
        graph.constant(label + ".half", values.astype(np.float16))
        return graph.node("Cast", [label + ".half"], label, label + ".cast", to=common.FLOAT)

    value = graph.input("input", common.FLOAT, ["N", linears[0].in_features])
    for i, linear in enumerate(linears, 1):
        last = i == len(linears)
        weight = constant(f"fc{i}.weight", linear.weight)
        bias = constant(f"fc{i}.bias", linear.bias)
        value = graph.node("Gemm", [value, weight, bias], "logits" if last else f"fc{i}.out",
                           f"fc{i}", transB=1)
        if not last:
            value = graph.node("Relu", [value], f"relu{i}.out", f"relu{i}")
    graph.output("logits", common.FLOAT, ["N", linears[-1].out_features])
    graph.save(path, doc)
