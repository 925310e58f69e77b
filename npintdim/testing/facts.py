"""What can be said of a wrong answer without its mistake: where it is wrong, and how it lies."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import product
from math import prod
from types import SimpleNamespace
from typing import Any

import numpy as np

from npintdim.testing.arrays import to_numpy
from npintdim.testing.differences import Answer, agree, answered, arrays, is_rounding
from npintdim.testing.mistakes.networks import layers_of, shapes_of
from npintdim.testing.mistakes.table import Problem, Table
from npintdim.typing import Array

CLOSE = 1e-6  # relative: numbers that are called the same here
COARSE = ((2.0**-11, 10), (2.0**-8, 7))  # float16 or TF32, bfloat16: unit of rounding, bits of the mantissa
MOST = 4  # pieces named one by one


def first_difference(problem: Problem, got: Answer, want: Answer, table: Table) -> str:
    """Where answers first disagree, both numbers and their ratio, and how the whole lies to the right one."""
    names, slack = table.outputs, table.slack
    right = [agree((a,), (b,), slack) for a, b in zip(got, want, strict=True)]
    part = right.index(False) if False in right else 0
    a, b, title = got[part], want[part], problem.title
    name = names[part] if len(names) > 1 else ""
    others = "".join(f"; {other} is right" for other, ok in zip(names, right, strict=True) if ok)
    if a.shape != b.shape:
        return (
            f"on {title} {name or 'the answer'} has shape {a.shape}, but {b.shape} is needed"
            f"{_same_numbers(a, b)}{others}"
        )
    if a.dtype.kind != b.dtype.kind == "f":
        return (
            f"on {title} {name or 'the answer'} has dtype {a.dtype}, "
            f"but floating-point numbers are needed{others}"
        )
    a, b = a.astype(np.float64), b.astype(np.float64)
    wrong = _wrong(a, b)
    i = tuple(int(k) for k in np.argwhere(wrong)[0])
    ratio = f", ratio {a[i] / b[i]:.6g}" if b[i] else ""
    place = f"{name}[{', '.join(map(str, i))}]" if i else name
    how_many = f"; {wrong.sum()} of {wrong.size} entries differ" if i else ""
    how = (steps(a, b) if names[part] == "path" else relation(a, b)) if i else ""
    inside = by_pieces(problem, names[part], a, b) if i and (not how or how.endswith("another one")) else ""
    more = "".join(
        f"; {other} {said}"
        for other, x, y in list(zip(names, got, want, strict=True))[part + 1 :]
        if not agree((x,), (y,), slack) and (said := of_other(problem, other, x, y))
    )
    return (
        f"first difference on {title} at {place}: {a[i]:.9g} against {b[i]:.9g}{ratio}{how_many}"
        f"{how and ', ' + how}{inside}{more}{others}"
    )


def _wrong(a: Array, b: Array) -> Array:
    error = np.asarray(np.abs(a - b))
    error[np.isnan(error)] = np.inf
    wrong = np.asarray(error > min(1e-5 * float(np.abs(b).max(initial=0.0)), float(error.max()) / 2))
    return wrong if wrong.any() else np.ones_like(wrong)


def _same_numbers(a: Array, b: Array) -> str:
    if a.size != b.size or a.dtype.kind not in "fiu":
        return ""
    if a.ndim == 2 and a.T.shape == b.shape and _near(a.T, b):
        return "; it is the right one transposed"
    said = relation(a.reshape(b.shape), b)
    return "; in C order the numbers are right" if _near(a.reshape(b.shape), b) else said and f"; {said}"


def of_other(problem: Problem, name: str, a: Array, b: Array) -> str:
    """How another part of the same answer lies to the right one; "" if nothing is seen."""
    if a.shape != b.shape:
        return f"has shape {a.shape}, but {b.shape} is needed"
    a, b = a.astype(np.float64), b.astype(np.float64)
    if not a.ndim:
        return f"has ratio {float(a / b):.6g}" if b else ""
    if said := relation(a, b):
        return f"is wrong in every entry ({said})" if _wrong(a, b).all() else f"differs: {said}"
    return f"is wrong too{by_pieces(problem, name, a, b)}"


# ---- one array ----


def relation(a: Array, b: Array) -> str:
    """Multiple, signs, order, a constant, rounding: what entries of a have to do with those of b; or ""."""
    if a.size == 1 or not np.isfinite(a).all() or not b.any():
        return ""
    if not a.any():
        return "all 0"
    c = float(np.vdot(a, b) / np.vdot(b, b))
    if _near(a, c * b):
        return "all in this ratio"
    if coarse := _coarse(a, b):
        return coarse
    if _near(np.abs(a), np.abs(b)):
        return f"only in sign{_signs(a * b < 0)}"
    if _near(np.sort(a, axis=None), np.sort(b, axis=None)):
        return f"only in order: {_order(a, b)}"
    if _near(np.sort(np.abs(a), axis=None), np.sort(np.abs(b), axis=None)):
        return "only in order and sign"
    shift = float((a - b).reshape(-1)[0])
    if _near(a, b + shift):
        return f"all off by {shift:.6g}"
    order = _order(a / c if c else a, b)
    return f"a multiple, {order}" if c and order != "another one" else ""


def _near(a: Array, b: Array) -> bool:
    return bool((np.abs(a - b) <= CLOSE * max(float(np.abs(b).max(initial=0)), 1e-300)).all())


def _coarse(a: Array, b: Array) -> str:
    largest = float(np.abs(a - b).max() / np.abs(b).max())
    for unit, bits in COARSE:
        mantissa = np.frexp(a)[0] * 2.0 ** (bits + 1)
        if (largest < 4 * unit and (mantissa == np.rint(mantissa)).all()) or is_rounding(a, b, unit):
            return (
                f"by at most {largest:.2g} of the largest entry: is there float16, bfloat16 or TF32 inside?"
            )
    return ""


def _signs(negative: Array) -> str:
    flat = np.ravel(negative)
    k = np.arange(len(flat))
    for said, where in (("all", k >= 0), ("at odd places", k % 2 == 1), ("at even places", k % 2 == 0)):
        if (flat == where).all():
            return f" ({said})"
    return f" (from place {int(k[flat][0])} on {int(flat.sum())} of {len(flat)})"


def _order(a: Array, b: Array) -> str:
    flat, want = np.ravel(a), np.ravel(b)
    if _near(flat, want[::-1]):
        return "reversed"
    n = len(want)
    for k in range(1, min(n, 4097)):
        if abs(flat[0] - want[k]) <= CLOSE * np.abs(want).max() and _near(flat, np.roll(want, -k)):
            return f"entry k is entry (k + {k}) mod {n} of the right one"
    shapes = [(r, n // r) for r in range(2, n // 2 + 1) if n % r == 0]
    for r, c in shapes:
        if _near(flat, want.reshape(r, c).T.reshape(-1)):
            return f"transposed, ({r}, {c}) read as ({c}, {r})"
        if _near(flat, want.reshape(r, c)[::-1].reshape(-1)):
            return f"blocks of {c} entries come in reversed order"
        if _near(flat, want.reshape(r, c)[:, ::-1].reshape(-1)):
            return f"reversed inside every block of {c} entries"
    return "another one"


# ---- pieces: layers of θ, blocks, rows, columns ----


def by_pieces(problem: Problem, name: str, a: Array, b: Array) -> str:
    """Which pieces are wrong, and how; "" if there are none or all say nothing."""
    said, right = [], []
    for piece, where, shape in pieces(problem, name, b):
        x, y = a[where], b[where]
        if _near(x, y):
            right.append(piece)
            continue
        how = _inside(x.reshape(shape), y.reshape(shape)) if len(shape) > 1 else ""
        how = how or relation(x, y)
        if how == "all in this ratio":
            how = f"{float(np.vdot(x, y) / np.vdot(y, y)):.6g} times the right one"
        said.append(f"{piece} {f'({how})' if how else ''}".rstrip())
    if not said or (not right and not any("(" in x for x in said)):
        return ""
    more = f" and {len(said) - MOST} more" if len(said) > MOST else ""
    fine = f"; right: {', '.join(right[:MOST])}{' ...' if len(right) > MOST else ''}" if right else ""
    return f"; wrong: {', '.join(said[:MOST])}{more}{fine}"


def _inside(a: Array, b: Array) -> str:
    """A weight's own axes: transposed, flipped, a few rows."""
    last = (-2, -1) if b.ndim > 2 else (0, 1)
    if a.shape == np.swapaxes(b, *last).shape and _near(a, np.swapaxes(b, *last)):
        return "transposed"
    if _near(a, np.flip(b, last)):
        return "flipped"
    for axis, kind in ((0, "rows"), (1, "columns")):
        rest = tuple(k for k in range(b.ndim) if k != axis)
        bad = np.flatnonzero(_wrong(a, b).any(axis=rest)) if not _near(a, b) else np.array([])
        if 0 < len(bad) <= b.shape[axis] // 2:
            return f"{kind} {', '.join(map(str, bad[:MOST]))}"
    return ""


def pieces(problem: Problem, name: str, b: Array) -> Iterator[tuple[str, Any, tuple[int, ...]]]:
    """Name, place and shape of what an answer consists of."""
    p = problem.rest
    shapes = list(parameters(p))
    if name == "grad" and sum(prod(shape) for _, shape in shapes) == b.size:
        at = 0
        for piece, shape in shapes:
            yield piece, slice(at, at + prod(shape)), shape
            at += prod(shape)
    elif problem.task == "apply" and "G" in p:
        n = p["G"].shape[1]
        for k in range(-(-b.size // n)):
            yield f"block {k}", slice(k * n, (k + 1) * n), (len(b[k * n : (k + 1) * n]),)
    elif b.ndim == 2:
        for axis, kind in ((1, "column"), (0, "row")):
            if b.shape[axis] <= 64:
                for k in range(b.shape[axis]):
                    yield f"{kind} {k}", ((slice(None), k) if axis else k), (b.shape[1 - axis],)
                return


def parameters(p: dict[str, Any]) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Names and shapes of a network's W and b."""
    if p.keys() & {"layers", "sizes"}:
        for k, (W, b) in enumerate(filter(None, map(shapes_of, layers_of(SimpleNamespace(**p)))), 1):
            yield from ((f"W{k}", W), (f"b{k}", b))


# ---- a path of steps ----


def steps(a: Array, b: Array) -> str:
    """The first step that is wrong, and what it is made of: the right step, θ_d, the step before."""
    scale = float(np.abs(b).max())
    off = ~(np.abs(a - b).max(axis=1) <= 1e-9 * scale)  # NaN is off
    k = int(np.argmax(off))
    if not np.isfinite(a).all():
        return f"step {k + 1} is the first that is wrong"
    before = a[k - 1] if k else 0 * b[0]
    moved, needed = a[k] - before, b[k] - before
    if np.linalg.norm(moved) < 1e-12 * np.linalg.norm(needed):
        return f"step {k + 1} does not move"
    right, found = {"the right step": needed}, ""
    others = {"θ_d": before, "the step before": before - (a[k - 2] if k > 1 else 0)} if k else {}
    for parts in (right, *(right | {name: other} for name, other in others.items())):
        A = np.stack(list(parts.values()), axis=1)
        c, *_ = np.linalg.lstsq(A, moved, rcond=None)
        if np.linalg.norm(A @ c - moved) < 1e-8 * np.linalg.norm(moved) and len(moved) > len(parts):
            terms = " + ".join(f"{x:.6g} × {name}" for x, name in zip(c, parts, strict=True))
            found = f", and is {terms}".replace("+ -", "− ")
            break
    if not found and _near(np.sign(moved), np.sign(needed)):
        found = f", of the right signs, {np.linalg.norm(moved) / np.linalg.norm(needed):.6g} times as long"
    if not k:
        return f"step 1 is wrong, so it is the gradient at θ_0, lr or the rule itself{found}"
    return (
        f"the first {k} step{'s are' if k > 1 else ' is'} right, step {k + 1} is not, "
        f"so it is what a step leaves behind: θ_d, momentum, m, v, t, or a schedule{found}"
    )


# ---- all problems together ----


def common_factor(found: Sequence[tuple[Problem, Answer, Answer]]) -> str:
    """Where every answer is a multiple of the right one: by which law of the problem's sizes."""
    ratios, sizes = [], []
    for problem, got, want in found:
        if len(got) > 1 or got[0].shape != want[0].shape or got[0].dtype.kind != "f" or not want[0].any():
            return ""
        a, b = got[0].astype(np.float64), want[0].astype(np.float64)
        c = float(np.vdot(a, b) / np.vdot(b, b))
        if not np.isfinite(c) or c == 0 or not _near(a, c * b):
            return ""
        ratios.append(c)
        sizes.append(_sizes(problem, b))
    r = np.array(ratios)
    if np.abs(r - 1).max() < CLOSE:
        return (
            f"; every answer is a multiple of the right one, by 1 {r.min() - 1:+.2g} to 1 {r.max() - 1:+.2g}"
        )
    if np.allclose(r, r[0], rtol=1e-9, atol=0):
        return f"; on every problem the answer is {r[0]:.10g} times the right one"
    names = [name for name in sizes[0] if all(name in s for s in sizes)]
    every = product((0, -1, 1, -0.5, 0.5), repeat=len(names))
    for powers in sorted(every, key=lambda x: sum(k != 0 for k in x)):
        law = np.array([prod(float(s[n]) ** k for n, k in zip(names, powers, strict=True)) for s in sizes])
        if np.allclose(r / law, r[0] / law[0], rtol=1e-6, atol=0):
            by = "" if np.isclose(r[0] / law[0], 1) and any(powers) else f"{r[0] / law[0]:.6g} · "
            text = " · ".join(f"{n}^{k:g}" for n, k in zip(names, powers, strict=True) if k)
            factor = (by + text).removesuffix(" · ")
            return f"; on every problem the answer is {factor} times the right one"
    return f"; every answer is a multiple of the right one, by {r.min():.6g} to {r.max():.6g}"


def _sizes(problem: Problem, b: Array) -> dict[str, int]:
    """D, d and what else the problem counts."""
    p = {k: v for k, v in problem.rest.items() if k in ("D", "d") and isinstance(v, int)}
    if "P" in problem.rest:
        p |= dict(zip("Dd", problem.rest["P"].shape, strict=True))
    if "G" in problem.rest:
        p |= {"n": problem.rest["G"].shape[1]}
    return p or {"n": b.size}


# ---- P, column by column ----


def facts_of_P(fn: Callable[[Any, Any], Any], problem: Problem) -> str:
    """What columns fn(e_j) of an unknown P show: signs, norms; "" if nothing is odd, or no D entries."""
    v, p = problem.arguments()
    try:
        columns = [to_numpy(fn(e_j, problem.arguments()[1])) for e_j in np.eye(len(v), dtype=v.dtype)]
        P = np.stack(columns, axis=1)
    except Exception:  # what it raises is reported elsewhere
        return ""
    D = getattr(p, "D", len(P))
    if P.shape != (D, len(v)) or P.dtype.kind != "f" or not np.isfinite(P).all():
        return ""
    norms = np.linalg.norm(P.astype(np.float64), axis=0)
    facts = ""
    if (P >= 0).all():
        facts += "; no entry of P is negative, so its columns are nearly parallel: draw both signs"
    if not np.allclose(norms, 1, atol=0.15):
        facts += (
            f"; columns have norms {norms.min():.6g} to {norms.max():.6g}, "
            f"but 1 over all D = {D} rows is needed"
        )
    return facts


# ---- Fastfood, factor by factor ----


def first_step(fn: Callable[[Any, Any], Any], problem: Problem, table: Table) -> str:
    """Which factor of Fastfood is the formula's first with which fn is wrong: from all neutral on, in turn.

    Neutral are B, G and S of ones, and the Π that changes nothing. "" where the factors are not given.
    """
    p = problem.rest
    if not {"B", "Pi", "G", "S"} <= p.keys():
        return ""
    neutral = {name: np.ones_like(p[name]) for name in "BGS"}
    neutral["Pi"] = np.broadcast_to(np.arange(p["G"].shape[1]) % p["B"].shape[1], p["Pi"].shape)
    order = ("B", "Pi", "G", "S") if problem.task == "apply" else ("S", "G", "Pi", "B")
    for k in range(len(order) + 1):
        asked = replace(problem, rest=p | {name: neutral[name] for name in order[k:]})
        try:
            got = answered(fn(*asked.arguments()), ("y",))
            wanted = arrays(table.variant((), *asked.arguments()))
        except Exception:  # what it raises is reported elsewhere
            return ""
        if [x.shape for x in got] != [x.shape for x in wanted]:
            return ""  # that is said already
        same = agree(got, wanted, table.slack)
        if not same and not k:
            return (
                "; with B = G = S = 1 and a Π that changes nothing it is wrong already: "
                "H, padding, an order of entries, the cut to D rows, or a scale"
            )
        if not same:
            step, *later = (name.replace("Pi", "Π") for name in order[k - 1 :])
            others = f" (in the formula after it {', '.join(later)})" if later else ""
            return (
                f"; it is right as long as {step} changes nothing{others}: "
                f"the first step that differs is {step}, or its place"
            )
    return ""
