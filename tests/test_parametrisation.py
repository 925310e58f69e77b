"""The seam θ = T(v): the subspace is its linear case with the bits it had, two maps make a third, pullbacks are checked."""

import numpy as np
import pytest

import npintdim as nid
from npintdim.objective import Composed, Subspace

NUMPY = nid.get_backend("numpy", dtype=np.float64)
MODEL = nid.mlp([6, 5, 3], NUMPY)
THETA_0 = MODEL.init_theta(0)
BATCH = nid.Batch(np.linspace(-1, 1, 48).reshape(8, 6), np.arange(8) % 3)


def projection(D=MODEL.D, d=7, seed=1):
    return nid.make_projection("fastfood", D, d, seed, NUMPY)


class Squares:
    """θ = v², which bends: nothing of it is linear."""

    D = dim = 7

    def start(self):
        return np.linspace(1.0, 2.0, self.dim)

    def theta(self, v):
        return v * v

    def pullback(self, v, grad_theta):
        return 2 * v * grad_theta

    def spec(self):
        return {"kind": "squares"}


def test_a_subspace_objective_is_the_objective_over_a_subspace_bit_for_bit():
    P = projection()
    own, other = (
        nid.SubspaceObjective(MODEL, THETA_0, P),
        nid.ParametrisedObjective(MODEL, Subspace(THETA_0, P)),
    )
    v = np.linspace(-1, 1, 7)
    for objective in (own, other):
        loss, grad = objective.loss_and_grad(v, BATCH)
        there, grad_theta = MODEL.loss_and_grad(THETA_0 + P.apply(v), BATCH)
        assert loss == there and np.array_equal(grad, P.adjoint(grad_theta))
        assert np.array_equal(objective.theta(objective.start()), THETA_0)
        assert objective.spec() == {"landscape": MODEL.spec(), "P": P.spec()}
    assert own.P is P and np.array_equal(own.theta_0, THETA_0)
    assert isinstance(own.parametrisation, nid.Parametrisation) and isinstance(Squares(), nid.Parametrisation)


def test_a_composition_is_one_map_with_one_pullback():
    squares, P = Squares(), projection()
    both = Composed(Subspace(THETA_0, P), squares)
    assert (both.dim, both.D) == (7, MODEL.D)
    v = np.linspace(-1, 1, 7)
    assert np.array_equal(both.theta(v), THETA_0 + P.apply(v * v))
    assert np.array_equal(both.start(), squares.start())
    assert both.spec() == {"outer": {"P": P.spec()}, "inner": {"kind": "squares"}}
    nid.check_pullback(both)
    nid.gradient_check(nid.ParametrisedObjective(MODEL, both), v, BATCH)


def test_two_subspaces_are_one():
    outer, inner = projection(), projection(D=7, d=3, seed=5)
    both = Composed(Subspace(THETA_0, outer), Subspace(np.zeros(7), inner))
    product = outer.to_dense() @ inner.to_dense()
    v, g = np.array([1.0, -2.0, 0.5]), np.linspace(-1, 1, MODEL.D)
    assert np.allclose(both.theta(v), THETA_0 + product @ v, rtol=1e-13)
    assert np.allclose(both.pullback(v, g), product.T @ g, rtol=1e-12)


def test_what_does_not_fit_is_refused():
    with pytest.raises(
        ValueError, match=r"^the inner parametrisation gives 7 numbers, but the outer one takes 5$"
    ):
        Composed(Subspace(THETA_0, projection(d=5)), Squares())
    with pytest.raises(ValueError, match=rf"gives θ with D = 7, but the landscape has D = {MODEL.D}$"):
        nid.ParametrisedObjective(MODEL, Squares())


def test_a_wrong_pullback_is_noticed():
    class Forgot(Squares):
        def pullback(self, v, grad_theta):
            return v * grad_theta  # the 2

    class Short(Squares):
        def pullback(self, v, grad_theta):
            return (2 * v * grad_theta)[:-1]

    class Single(Squares):
        def start(self):
            return np.ones(7, np.float32)

        def theta(self, v):
            return (v * v).astype(np.float32)

    assert len(nid.check_pullback(Squares(), directions=4)) == 4
    with pytest.raises(nid.CheckError, match="⟨J δ, g⟩ = ⟨δ, Jᵀ g⟩"):
        nid.check_pullback(Forgot())
    with pytest.raises(nid.CheckError, match=r"shape \(6,\), but v has shape \(7,\)"):
        nid.check_pullback(Short())
    with pytest.raises(TypeError, match="needs float64"):
        nid.check_pullback(Single())
    with pytest.raises(TypeError, match="without start, theta, pullback"):
        nid.check_pullback(7)
