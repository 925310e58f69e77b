"""P of 7·10⁹ parameters by slices of 2²⁴ rows from its far end: time a parameter, and the peak memory of the process.

    python -m benchmarks.scripts.slices numba 2 4        # backend, threads, slices
    python -m benchmarks.scripts.slices numba 2 all      # all 418 of them, and ‖P v‖² against ⟨v, Pᵀ P v⟩

The scale needs one pass over all normals; SCALE takes its result from an earlier run, for the slow plain backend.
"""

import json
import os
import sys
import time
from pathlib import Path

import numpy as np

import npintdim as nid
from benchmarks.scripts.growth import FILE

D, d, ROWS = 7_000_000_000, 10_000, 1 << 24


def peak() -> float:
    """MB, this process' own."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024 / 1e6


def main(name: str, threads: int, slices: int | None) -> None:
    backend = nid.get_backend(name, threads=threads)
    P = nid.make_projection("fastfood", D, d, 1, backend, stored=False)
    v = np.linspace(-1, 1, d, dtype=np.float32)
    if "SCALE" in os.environ:
        P.__dict__["drawn_scale"] = float.fromhex(os.environ["SCALE"])
    began = time.perf_counter()
    scale = P.drawn_scale
    print(f"scale {scale.hex()}: {time.perf_counter() - began:.1f} s", flush=True)
    near = slice(0, 1 << 18)
    P.adjoint(P.apply(v, rows=near), rows=near)  # compiled
    acc, squares, spent = np.zeros(d, dtype=np.float32), 0.0, np.zeros(2)
    began_all = time.process_time()
    ends = [*range(D, 0, -ROWS)][:slices]
    for k, b in enumerate(ends, 1):
        rows = slice(max(0, b - ROWS), b)
        began = time.perf_counter()
        y = P.apply(v, rows=rows)
        middle = time.perf_counter()
        P.adjoint(y, rows=rows, out=acc)
        end = time.perf_counter()
        now, seen = np.array([middle - began, end - middle]), rows.stop - rows.start
        spent += now
        for part in np.array_split(y, 64):
            squares += float(np.square(part, dtype=np.float64).sum())
        if slices or not k % 16 or k == len(ends):
            print(f"{k} of {len(ends)}, rows {rows.start} to {b - 1}: P v {now[0] / seen * 1e9:.1f} ns, "
                  f"Pᵀ g {now[1] / seen * 1e9:.1f} ns a parameter; peak {peak():.0f} MB", flush=True)  # fmt: skip
        del y
    done, cpu = D - rows.start, time.process_time() - began_all
    print(f"{done} rows: P v {spent[0]:.0f} s, {spent[0] / done * 1e9:.1f} ns a parameter; "
          f"Pᵀ g {spent[1]:.0f} s, {spent[1] / done * 1e9:.1f} ns; "
          f"{cpu / done * 1e9:.1f} ns of the processor's for both", flush=True)  # fmt: skip
    inner = float(v.astype(np.float64) @ acc)
    print(f"‖P v‖² of these rows {squares!r}, ⟨v, Pᵀ P v⟩ {inner!r}: {abs(squares / inner - 1):.1e} apart; "
          f"‖v‖² {float(v @ v)!r}")  # fmt: skip
    if slices is None and name == "numba":  # a point of the picture
        this = {
            "kind": "Fastfood, drawn",
            "D": D,
            "d": d,
            "seconds": cpu,
            "peak": peak() * 1e6,
            "by": "slices",
        }
        others = [p for p in json.loads(FILE.read_text()) if "by" not in p]
        FILE.write_text(json.dumps([this, *others], indent=0) + "\n")
    print("bits", acc.view(np.uint32).sum(dtype=np.uint64))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), None if sys.argv[3] == "all" else int(sys.argv[3]))
