"""How the cost of P v + Pᵀ g grows with D and d, for each kind of P: benchmarks/growth.json, which docs/img/growth.py draws.

`python -m benchmarks.scripts.growth` takes some minutes; a point at which P would not fit, or take long, is left
out, and one that the file has is kept.
"""

from __future__ import annotations

import json
import math
import sys
import time
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np

import npintdim as nid

FILE = Path(__file__).parents[1] / "growth.json"
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "dense, stored": ("dense", {}),
    "dense ±1, drawn": ("dense", {"entries": "rademacher", "stored": False}),
    "dense Gaussian, drawn": ("dense", {"stored": False}),
    "sparse": ("sparse", {}),
    "Fastfood, stored": ("fastfood", {}),
    "Fastfood, drawn": ("fastfood", {"stored": False}),
}
LENET, FIXED = 44_426, 1000  # D, while d grows; d, while D does
SLICE = 1 << 24  # rows at a time, beyond which nothing of D numbers is held
MOST_SECONDS, MOST_BYTES = 4.0, 1e9


def guess(name: str, D: int, d: int) -> tuple[float, float]:
    """Seconds and bytes, roughly, to leave out what is too much."""
    rate, size = {
        "dense, stored": (0.15e-9 * D * d + 3e-9 * D * d, 4.0 * D * d),
        "dense ±1, drawn": (0.05e-9 * D * d, 8.0 * D),
        "dense Gaussian, drawn": (5e-9 * D * d, 8.0 * D),
        "sparse": (3e-9 * d * math.sqrt(D) + 1e-9 * D, 9 * d * math.sqrt(D) + 8.0 * D),
        "Fastfood, stored": (20e-9 * D, 15.0 * D),
        "Fastfood, drawn": (35e-9 * D, 0.0),
    }[name]
    return rate, size


def point(name: str, D: int, d: int) -> dict[str, Any]:
    """Time of the processor (one thread) of P v + Pᵀ g; bytes that P holds, and that both take beside their results."""
    kind, options = KINDS[name]
    rng = np.random.default_rng(0)
    v = rng.standard_normal(d, dtype=np.float32)
    slices = [slice(a, min(D, a + SLICE)) for a in range(0, D, SLICE)]
    g = rng.standard_normal(min(D, SLICE), dtype=np.float32)
    out = np.zeros(d, dtype=np.float32)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    P = nid.make_projection(kind, D, d, 0, nid.get_backend("numba", threads=1), **options)

    def both() -> float:
        began = time.process_time()
        for rows in slices:
            P.apply(v, rows=rows)
            P.adjoint(g[: rows.stop - rows.start], rows=rows, out=out)
        return time.process_time() - began

    whole, slices = slices, slices[:1]
    both()  # drawn, compiled
    held = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.reset_peak()
    both()
    peak = tracemalloc.get_traced_memory()[1] - before - 4 * (slices[0].stop + d)
    tracemalloc.stop()
    slices, taken = whole, [both()]
    while len(taken) < 3 or (sum(taken) < 0.3 and len(taken) < 200):
        if sum(taken) > 4:
            break
        taken.append(both())
    return {
        "kind": name,
        "D": D,
        "d": d,
        "seconds": float(np.median(taken)),
        "held": held,
        "peak": max(peak, held),
    }


def main() -> None:
    found = json.loads(FILE.read_text()) if FILE.exists() else []
    shapes = [(round(10 ** (e / 2)), FIXED) for e in range(8, 19)]
    shapes += [(LENET, d) for d in (10, 30, 100, 225, 300, 1000, 2500, 10_000, 30_000)]
    for name in KINDS:
        for D, d in shapes:
            if any((p["kind"], p["D"], p["d"]) == (name, D, d) for p in found):
                continue
            seconds, size = guess(name, D, d)
            if seconds > MOST_SECONDS or size > MOST_BYTES:
                continue
            point(name, *((2000, 10) if d < 1 << 14 else (D, d)))  # compiled
            found.append(point(name, D, d))
            print(found[-1], file=sys.stderr, flush=True)
            FILE.write_text(json.dumps(found, indent=0) + "\n")


if __name__ == "__main__":
    main()
