#!/usr/bin/python3
"""Converts control policies of rl-trained-agents (Stable-Baselines3) to ONNX.

Reads dqn_*, ppo_* and tqc_*.actor.npz in one folder: the tensors of the policies under their names
in PyTorch. Writes policy_ALGORITHM_ENVIRONMENT.onnx for each. Needs numpy and onnx; --check also
needs onnxruntime.
"""

import argparse
import pathlib

import common
from common import np

# Per algorithm: names of the layers, activation between them, name of the output.
ALGORITHMS = {
    "dqn": (["q_net.q_net.0", "q_net.q_net.2", "q_net.q_net.4"], "Relu", "action_values"),
    "ppo": (["mlp_extractor.policy_net.0", "mlp_extractor.policy_net.2", "action_net"], "Tanh",
            "logits"),
    "tqc": (["actor.latent_pi.0", "actor.latent_pi.2", "actor.mu.0"], "Relu", "action"),
}
POLICIES = {
    "dqn_Acrobot-v1": (6, 3), "dqn_CartPole-v1": (4, 2), "dqn_MountainCar-v0": (2, 3),
    "ppo_CartPole-v1": (4, 2), "tqc_Pendulum-v1": (3, 1),
}
MAX_TORQUE = 2.0  # Pendulum's actions are -2...2: the squashed mean times this


def layers_of(path, algorithm, observations, actions):
    """Weight [out,in] and bias of each layer."""
    names = ALGORITHMS[algorithm][0]
    widths = [observations, "first", "second", actions]
    shapes = {}
    for i, name in enumerate(names):
        shapes[f"{name}.weight"] = (widths[i + 1], widths[i])
        shapes[f"{name}.bias"] = (widths[i + 1],)
    arrays = common.read_npz(path, shapes)
    return [(arrays[f"{name}.weight"], arrays[f"{name}.bias"]) for name in names]


def build(name, algorithm, layers):
    """obs [N,observations] -> action values, logits, or the action itself, [N,actions]."""
    _, activation, out = ALGORITHMS[algorithm]
    net = common.Net(name)
    value = net.input("obs", common.FLOAT, ["N", layers[0][0].shape[1]])
    for i, (weight, bias) in enumerate(layers, 1):
        last = i == len(layers)
        squashed = last and algorithm == "tqc"
        result = "mean" if squashed else out if last else f"fc{i}.out"
        value = net.node("Gemm", [value, net.constant(f"fc{i}.weight", weight),
                                  net.constant(f"fc{i}.bias", bias)], result, f"fc{i}", transB=1)
        if not last:
            value = net.node(activation, [value], f"act{i}.out", f"act{i}")
    if algorithm == "tqc":
        value = net.node("Tanh", [value], "squashed", "squash")
        net.node("Mul", [value, net.constant("max_torque", np.float32(MAX_TORQUE))], out, "scale")
    net.output(out, common.FLOAT, ["N", len(layers[-1][1])])
    return net


def reference(obs, algorithm, layers):
    """The same in numpy, in double precision."""
    value = obs.astype(np.float64)
    for i, (weight, bias) in enumerate(layers, 1):
        value = value @ weight.T.astype(np.float64) + bias
        if i < len(layers):
            value = np.tanh(value) if algorithm == "ppo" else np.maximum(value, 0)
    return MAX_TORQUE * np.tanh(value) if algorithm == "tqc" else value


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True, help="folder of the .actor.npz files")
    parser.add_argument("--out", required=True, help="folder to write to")
    parser.add_argument("--check", action="store_true",
                        help="compare with numpy on random observations, by ONNX Runtime")
    args = parser.parse_args()

    for name, (observations, actions) in POLICIES.items():
        algorithm, _, environment = name.partition("_")
        layers = layers_of(pathlib.Path(args.model) / f"{name}.actor.npz", algorithm, observations,
                           actions)
        path = pathlib.Path(args.out) / f"policy_{algorithm}_{environment.partition('-')[0]}.onnx"
        build(path.stem, algorithm, layers).save(path, f"{name} of rl-trained-agents (MIT)")
        if args.check:
            obs = np.random.default_rng(0).uniform(-1, 1, (1000, observations)).astype(np.float32)
            found, = common.run_onnx(path, {"obs": obs})
            print(f"  largest difference from numpy: "
                  f"{np.abs(found - reference(obs, algorithm, layers)).max():.1e}")


if __name__ == "__main__":
    main()
