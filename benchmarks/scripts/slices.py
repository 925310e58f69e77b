"""P of 7·10⁹ parameters by slices of 2²⁴ rows at its far end: time a parameter, and the peak memory of the process.

    python -m benchmarks.scripts.slices numba 2 4        # backend, threads, slices

The scale needs one pass over all normals; SCALE takes its result from an earlier run, for the slow plain backend.
"""

import os
import sys
import time
from pathlib import Path

import numpy as np

import npintdim as nid

D, d, ROWS = 7_000_000_000, 10_000, 1 << 24


def peak() -> float:
    """MB, this process' own."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def main(name: str, threads: int, slices: int) -> None:
    backend = nid.get_backend(name, threads=threads)
    P = nid.make_projection("fastfood", D, d, 1, backend, stored=False)
    v = np.linspace(-1, 1, d, dtype=np.float32)
    if "SCALE" in os.environ:
        P.__dict__["drawn_scale"] = float.fromhex(os.environ["SCALE"])
    began = time.perf_counter()
    scale = P.drawn_scale
    print(f"scale {scale.hex()}: {time.perf_counter() - began:.1f} s", flush=True)
    P.apply(v, rows=slice(0, 1 << 18))  # compiled
    acc = np.zeros(d, dtype=np.float32)
    for k in range(slices, 0, -1):
        b = D - (k - 1) * ROWS
        rows = slice(b - ROWS, b)
        began = time.perf_counter()
        y = P.apply(v, rows=rows)
        middle = time.perf_counter()
        P.adjoint(y, rows=rows, out=acc)
        end = time.perf_counter()
        print(f"rows {rows.start} to {rows.stop - 1}: P v {(middle - began) / ROWS * 1e9:.1f} ns, "
              f"Pᵀ g {(end - middle) / ROWS * 1e9:.1f} ns a parameter; peak {peak():.0f} MB", flush=True)  # fmt: skip
        del y
    print("bits", acc.view(np.uint32).sum(dtype=np.uint64))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
