"""MNIST in a random subspace: 199,210 parameters, of which none is trained; 750 numbers theta_d are.

    theta = theta_0 + P theta_d,   P Fastfood of 199,210×750, which is never written out

The same call, `nid.train`, trains the network directly and in the subspace: it takes any landscape. The paper
says d_int90 = 750 for this network, with 100 epochs of Adam at lr 1e-3. Ten epochs at lr 1e-2 come as far: about
.895 of the test images, and the threshold is .90.

Run `NPINTDIM_DATA=folder python examples/04_mnist_subspace_training.py` with the four MNIST files in the folder
(20 seconds on one core with numba). Without them it takes the 8×8 digits of the package, and says so.
"""

import os

import npintdim as nid


def load():
    """MNIST with the paper's 50,000 training images, where it is at hand; else the digits."""
    folder = os.environ.get("NPINTDIM_DATA")
    if folder:
        try:
            return nid.load_dataset("mnist", folder=folder, limit_train=50_000)
        except FileNotFoundError as error:
            print(error)
    print("MNIST is not in NPINTDIM_DATA: this run uses the embedded 8x8 digits")
    return nid.load_dataset("digits")


def report(name, run):
    """About ten of the epochs; the last test accuracy."""
    every = -(-len(run.records) // 10)
    for record in run.records[every - 1 :: every]:
        line = f"epoch {record.epoch + 1:3d}   loss {record.loss:.3f}   test accuracy {record.test:.3f}"
        print(f"{name:8s} {line}   {record.seconds:.2f} s")
    return run.records[-1].test


def main():
    data = load()
    mnist = data.name == "mnist"
    sizes, d = ([784, 200, 200, 10], 750) if mnist else ([64, 200, 200, 10], 200)
    model = nid.mlp(sizes)
    data = data.to(model.backend)
    theta_0 = model.init_theta(seed=0)
    print(f"{data.name}: D = {model.D}, d = {d}, backend {model.backend.name}")

    config = nid.TrainConfig(optimizer=nid.Adam(lr=1e-3, beta2=0.99), epochs=5 if mnist else 25, seed=0)
    direct = report("direct", nid.train(model, theta_0, data, config))

    P = nid.make_projection("fastfood", D=model.D, d=d, seed=1, backend=model.backend)
    objective = nid.SubspaceObjective(model, theta_0, P)
    config = nid.TrainConfig(optimizer=nid.Adam(lr=1e-2, beta2=0.99), epochs=10 if mnist else 100, seed=0)
    subspace = report(f"d = {d}", nid.train(objective, objective.start(), data, config))

    share = 100 * subspace / direct
    print(f"{d} numbers reach {subspace:.3f}, {model.D} reach {direct:.3f}: {share:.0f} % of the baseline")


if __name__ == "__main__":
    main()
