"""A trained network as a file of less than a kilobyte: two seeds and theta_d.

theta_0 is a function of one seed and P of another, so theta_d is all that theta = theta_0 + P theta_d needs. The
decoded theta is the same, bit for bit, on every machine and backend: the file holds its sha256. A file of which
a single bit was altered is refused.

Run `python examples/05_compress_and_restore.py` (a few seconds); it writes two files to `results/example-05`.
"""

from pathlib import Path

import numpy as np

import npintdim as nid
from npintdim.artefact.fileformat import FormatError


def main():
    folder, data = Path("results") / "example-05", nid.load_dataset("digits")
    folder.mkdir(parents=True, exist_ok=True)
    path, spoilt = folder / "digits.npid", folder / "altered.npid"
    model = nid.mlp([64, 32, 10], backend=nid.get_backend("numpy"))
    P = nid.make_projection("fastfood", D=model.D, d=150, seed=1, backend=model.backend)
    objective = nid.SubspaceObjective(model, model.init_theta(seed=0), P)
    config = nid.TrainConfig(optimizer=nid.Adam(lr=0.03, beta2=0.99), epochs=60, seed=0)
    theta_d = nid.train(objective, objective.start(), data, config).theta

    saved = nid.CompressedModel.from_parts(model, theta_0_seed=0, P=P, theta_d=theta_d)
    size = saved.save(path)
    print(f"D = {model.D} parameters, {4 * model.D} bytes as float32; d = {P.d} numbers, {4 * P.d} bytes")
    print(f"{path.name}: {size} bytes, {4 * model.D / size:.1f} times smaller")

    restored = nid.CompressedModel.load(path, backend=nid.get_backend("numpy", dtype=np.float64))
    same_bits = np.array_equal(saved.theta().view(np.uint32), restored.theta().view(np.uint32))
    before, after = saved.evaluate(data.test).performance, restored.evaluate(data.test).performance
    print(f"test accuracy {before:.3f} before, {after:.3f} after; theta is the same bit for bit: {same_bits}")

    altered = bytearray(path.read_bytes())
    altered[-1] ^= 1
    spoilt.write_bytes(altered)
    try:
        nid.CompressedModel.load(spoilt)
    except FormatError as error:
        print(f"one bit altered: {error}")


if __name__ == "__main__":
    main()
