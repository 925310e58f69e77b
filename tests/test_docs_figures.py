"""Numbers in the docs that follow from others there, or that a few draws of P give again."""

import math
import re
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pytest
from helpers import project

from npintdim.projections import make_projection
from npintdim.toy.problem import ToyProblem

DOCS = Path(__file__).parents[1] / "docs"
RESULTS, PAGE_1, PAGE_3 = (
    (DOCS / name).read_text(encoding="utf-8")
    for name in ("results.md", "walkthrough/01-toy-problem.md", "walkthrough/03-projections-and-adjoints.md")
)
READING = r"([\d,]+) \(([\d,]+) to ([\d,]+)\)"


def readings(line):
    """d_int and its interval, of every cell that has them."""
    return [tuple(float(n.replace(",", "")) for n in found) for found in re.findall(READING, line)]


def limit(one, other):
    """95 % upper limit of |log of the ratio|, in per cent."""
    (a, *ends_a), (b, *ends_b) = one, other
    half = [math.log(high / low) / 2 for low, high in (ends_a, ends_b)]
    return 100 * (abs(math.log(a / b)) + math.hypot(*half))


def test_how_much_projections_may_differ():
    rows = {
        line.split(" | ")[0].strip("| "): readings(line)
        for line in RESULTS.splitlines()
        if re.match(r"\| (Fastfood|sparse|dense)", line) and len(readings(line)) == 4
    }
    assert len(rows) == 6
    ours, authors = (
        next(rows[name] for name in rows if word in name) for word in ("(ours)", "(the authors')")
    )
    stated = {
        name: [float(x) for x in re.findall(r"[\d.]+(?= %)", cells)]
        for name, cells in re.findall(
            r"^\| (ours and the authors'|the worst of the 15 pairs) \|(.*)$", RESULTS, re.M
        )
    }
    for column in range(4):
        assert stated["ours and the authors'"][column] == round(limit(ours[column], authors[column]), 1)
        worst = max(limit(a[column], b[column]) for a, b in combinations(rows.values(), 2))
        assert stated["the worst of the 15 pairs"][column] == round(worst, 1)


def test_what_explains_the_published_lenet():
    """The text says which intervals hold 290; these are they."""
    rows = [line for line in RESULTS.splitlines() if line.startswith("| ")]
    read = {}
    for line, below in pairwise(rows):
        name = line.split(" | ")[0].strip("| ")
        if name.startswith("LeNet") and below.startswith("|  |") and "accuracy 0.9" in below:
            read[name] = readings(below)[0]
    assert {name: low <= 290 <= high for name, (_, low, high) in read.items()} == {
        "LeNet": False, "LeNet, at 1e-2": True, "LeNet as released": True, "LeNet as released, at 1e-2": False,
        "LeNet, shuffled pixels": False,
    }  # fmt: skip


def test_the_trend_of_the_twenty_nets():
    table = RESULTS[RESULTS.index("Of 0.9 × baseline:") : RESULTS.index("At an accuracy of 0.9, where")]
    d = np.array([[d for d, _, _ in readings(line)] for line in table.splitlines() if readings(line)])
    assert d.shape == (5, 4)
    ends = re.search(r"from (\d+) for the smallest net.* to (\d+) for the largest", RESULTS)
    assert [d[0, 0], d[-1, -1]] == [float(end) for end in ends.groups()]
    narrow, wide = re.search(r"width 50 is (\d+), of width 400 it is (\d+)", RESULTS).groups()
    assert [round(x) for x in d.mean(axis=0)[[0, -1]]] == [int(narrow), int(wide)]


def test_what_the_authors_fastfood_leaves_of_the_toy_problem():
    stated = re.search(r"\(\.(\d+) and \.(\d+) in the 400 draws", PAGE_1).groups()
    toy, theta_0 = ToyProblem(1000, 10), np.zeros(1000)
    for d, digits in zip((5, 9), stated, strict=True):
        left = [toy.optimum(theta_0, project("single, no S", 1000, d, s).to_dense())[1] for s in range(400)]
        assert f"{np.mean(left) / toy.evaluate(theta_0).loss:.3f}" == f"0.{digits}"


def test_the_norms_of_a_small_cut_block():
    norms = [np.linalg.norm(project("stacked", 65, 64, seed).to_dense(), axis=0) for seed in range(60)]
    assert np.std(norms) == pytest.approx(0.011, abs=0.0008)
    assert "and less elsewhere: .011 at D = 65, d = 64, a fourth of it." in PAGE_3
    assert math.sqrt(64 / 8) / 65 == pytest.approx(4 * 0.011, abs=0.001)


def spread(kind, d, u, draws):
    """The sd of ‖Pᵀu‖² D/(d‖u‖²)."""
    P = (make_projection(kind, 7850, d, seed) for seed in range(draws))
    return np.std([np.square(p.adjoint(u.astype(np.float32))).sum() * 7850 / d / (u @ u) for p in P])


@pytest.mark.parametrize(
    ("kind", "inside"), [("dense", "pair"), ("fastfood", "block"), ("fastfood", "pair"), ("sparse", "pair")]
)
def test_special_directions(kind, inside):
    """Page 3's table, at d = 20; the sd of an sd of 300 draws is .04 of it, and of sparse P's more."""
    where = {"block": r"in the n rows of one block \| Fastfood", "pair": r"neighbours \| Fastfood"}[inside]
    where = {"dense": r"any \| dense", "sparse": r"\| \| sparse"}.get(kind, where)
    stated = float(re.search(rf"{where} \| [\d.]+ \| ([\d.]+) \|", PAGE_3)[1])
    u = np.zeros(7850)
    u[:2] = 1
    if inside == "block":
        u[:32] = np.random.default_rng(0).standard_normal(32)
    assert spread(kind, 20, u, 300) == pytest.approx(stated, rel=0.2)


def test_a_loss_with_few_sharp_directions():
    """A quadratic with 20 sharp coordinates: what 60 subspaces leave of it, on average."""
    root = np.sqrt(np.where(np.arange(1024) < 20, 1, 1e-3))

    def left(name):
        shares = []
        for seed in range(60):
            A = root[:, None] * project(name, 1024, 20, seed).to_dense()
            r = root + A @ np.linalg.lstsq(A, -root, rcond=None)[0]
            shares.append(r @ r / (root @ root))
        return np.mean(shares)

    stated = re.search(
        r"dense P leaves \.(\d+) of the loss, Fastfood \.(\d+),.*\n.*0, \.(\d+)\.", PAGE_3
    ).groups()
    for name, digits in zip(("gaussian", "stacked", "sparse"), stated, strict=True):
        assert left(name) == pytest.approx(float(f"0.{digits}"), abs=0.04)
