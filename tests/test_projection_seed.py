"""P is a function of kind, D, d, seed and options: of nothing else, and of each of them."""

import copy
import json
import pickle
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np
import pytest
from helpers import KINDS, normal, project, same_bits

from npintdim.backend import get_backend
from npintdim.projections import projection_from_spec

SEEDS = [0, 1, 2**32, 2**64 - 1]


@pytest.mark.parametrize("seed", SEEDS)
def test_the_same_seed_gives_the_same_bits(draw, seed):
    same_bits(draw(100, 5, seed).to_dense(), draw(100, 5, seed).to_dense())


def test_another_seed_gives_another_P(draw):
    matrices = [draw(100, 5, seed).to_dense() for seed in SEEDS]
    for i, P in enumerate(matrices):
        for Q in matrices[:i]:
            overlap = (P * Q).sum(axis=0)  # of unit columns
            assert np.abs(overlap).max() < 0.6


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("threads", [1, 2])
def test_entries_have_the_same_bits_on_both_backends(kind, dtype, threads):
    pytest.importorskip("numba", reason="numba is not installed")
    for D, d, seed in ((1, 1, 1), (129, 9, 2**64 - 1), (1000, 20, 3)):
        plain = project(kind, D, d, seed, "numpy", dtype).to_dense()
        same_bits(project(kind, D, d, seed, "numba", dtype, threads).to_dense(), plain)


@pytest.mark.parametrize("name", [name for name in KINDS if KINDS[name][0] == "fastfood"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_fastfood_apply_has_the_same_bits_on_both_backends(name, dtype):
    pytest.importorskip("numba", reason="numba is not installed")
    v = normal(750, dtype=dtype)
    plain = project(name, 10_000, 750, 3, "numpy", dtype).apply(v)
    for threads in (1, 2):
        same_bits(project(name, 10_000, 750, 3, "numba", dtype, threads).apply(v), plain)


def test_stored_and_drawn_entries_have_the_same_bits(backend_name):
    for kind in ("gaussian", "rademacher"):
        for dtype in (np.float32, np.float64):
            stored, drawn = (project(k, 129, 9, 7, backend_name, dtype) for k in (kind, f"{kind}, drawn"))
            same_bits(stored.to_dense(), drawn.to_dense())


def test_single_precision_entries_are_the_rounded_double_ones(kind):
    """Only of Fastfood are the factors rounded, not the entries."""
    single, double = (project(kind, 129, 9, dtype=dtype).to_dense() for dtype in (np.float32, np.float64))
    if KINDS[kind][0] == "fastfood":
        np.testing.assert_allclose(single, double, rtol=0, atol=1e-6 * np.abs(double).max())
    else:
        same_bits(single, double.astype(np.float32))


@pytest.mark.parametrize("travel", [copy.copy, copy.deepcopy, lambda P: pickle.loads(pickle.dumps(P))])
def test_copies_and_pickles_are_the_same_P(draw, travel):
    P = draw(100, 5)
    before = P.to_dense()
    again = travel(P)
    assert again == P
    assert again.backend == P.backend
    same_bits(again.to_dense(), before)
    assert len(pickle.dumps(P)) < 500  # the seed travels, not the factors


def test_equality_and_hash(draw):
    assert draw(100, 5) == draw(100, 5)
    assert hash(draw(100, 5)) == hash(draw(100, 5))
    assert draw(100, 5, seed=1) != draw(100, 5, seed=2)


def test_two_python_threads_share_a_fresh_P(draw):
    v, g = normal(40), normal(5000)
    expected = draw(5000, 40)
    Pv, Ptg = expected.apply(v), expected.adjoint(g)
    P, together = draw(5000, 40, threads=2), Barrier(4)

    def work(_):
        together.wait(timeout=60)  # all four find no factors yet
        return P.apply(v), P.adjoint(g)

    with ThreadPoolExecutor(4) as pool:
        for one, other in pool.map(work, range(4)):
            same_bits(one, Pv)
            same_bits(other, Ptg)


# ---- spec and fingerprint ----


def test_spec_travels_through_json(draw):
    P = draw(100, 5, seed=2**64 - 1)
    text = json.dumps(P.spec())
    assert '"seed": "18446744073709551615"' in text  # a number this large would lose bits in JSON readers
    again = projection_from_spec(json.loads(text), P.backend)
    same_bits(again.to_dense(), P.to_dense())
    assert again.spec() == P.spec()
    assert again.fingerprint() == P.fingerprint()


def test_numpy_integers_are_integers(draw):
    P = draw(np.int64(100), np.int32(5), seed=np.uint64(7))
    assert json.dumps(P.spec()) == json.dumps(draw(100, 5, seed=7).spec())
    assert P.fingerprint() == draw(100, 5, seed=7).fingerprint()
    same_bits(P.to_dense(), draw(100, 5, seed=7).to_dense())


def test_density_is_one_number_however_it_is_written():
    prints = {project("sparse", 100, 5, density=density).fingerprint() for density in (1, 1.0, np.float32(1))}
    assert len(prints) == 1
    assert (
        project("sparse", 100, 5, density=None).fingerprint()
        == project("sparse", 100, 5, density=0.1).fingerprint()
    )


def test_fingerprint_does_not_depend_on_where_and_how_P_computes(kind):
    pytest.importorskip("numba", reason="numba is not installed")
    prints = {
        project(kind, 129, 9, 3, backend, dtype, threads).fingerprint()
        for backend, dtype, threads in (
            ("numpy", np.float32, 1),
            ("numpy", np.float64, 1),
            ("numba", np.float32, 2),
        )
    }
    assert len(prints) == 1


def test_fingerprint_tells_every_P_from_every_other():
    def variants(name):
        yield project(name, 129, 9, 3)
        yield project(name, 130, 9, 3)
        yield project(name, 129, 10, 3)
        yield project(name, 129, 9, 4)

    names = [name for name in KINDS if "drawn" not in name]
    prints = [P.fingerprint() for name in names for P in variants(name)]
    assert len(set(prints)) == len(prints) == 4 * 12
    for kind in ("gaussian", "rademacher"):
        assert project(kind, 50, 3).fingerprint() == project(f"{kind}, drawn", 50, 3).fingerprint()


def test_fingerprint_sees_a_changed_integer(monkeypatch):
    P = project("stacked", 129, 9)
    before = P.fingerprint()
    chunks = [(family, start, chunk.copy()) for family, start, chunk in P.integers()]
    monkeypatch.setattr(type(P), "integers", lambda self: iter(chunks))
    assert P.fingerprint() == before
    for _, _, chunk in chunks:
        flat = chunk.reshape(-1)
        kept = flat[0].copy()
        flat[0] ^= 1
        assert P.fingerprint() != before
        flat[0] = kept
    flat[[0, -1]] = flat[[-1, 0]]  # the order counts too
    assert P.fingerprint() != before


GOLDEN = {
    "gaussian": "4cb17803e2cd8833c13662b2cbdeda6a9c69872743f5ea79b6e2b492f7ed9c54",
    "rademacher": "c5ffe7d9f1c7f91d28c6218a8f56bc8be5625cfa86171990cd7aea903e2fcbb6",
    "sparse": "c4458ee805409c7bf22ba237d0894a913da14e1c2d04a9b1d44c055ccde5da44",
    "sparse, 0.9": "6c3d5536f7fb1e8fdaac380dd24c9938ab27103c70cf9de26d3cd390400632ff",
    "stacked": "de5d20730a24a6e799bea961890c921186d31d71fc6089ed1d9b3fa339cf4e33",
    "stacked, no S": "f16757ed3e26fc01098beb531400e9162b88767a83289e228a6dc59b9e0b5d42",
    "single": "5693ebc3edb09b9530613dad513af2671713922b82f87d1b2a763b8098d002c2",
    "single, no S": "20bef6c6665c75f52f38ec38b8c398e07b9d275c20d6278c863335f9346225cf",
}


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_fingerprints(backend_name, name):
    """They are part of every compressed file: a change here makes all files unreadable."""
    assert project(name, 64, 5, 2**63 + 11, backend_name, np.float32).fingerprint() == GOLDEN[name]


@pytest.mark.parametrize("name", KINDS)
def test_P_is_immutable(name):
    P = project(name, 20, 3)
    with pytest.raises(AttributeError):
        P.seed = 5
    assert P.backend == get_backend("numpy", np.float64, 1)
