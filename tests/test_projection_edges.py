"""The corners: d = 1, d = D, D = 1, D beside a power of two, d larger than a layer, rows that never move."""

import numpy as np
import pytest
from helpers import normal, project

from npintdim.engine.architectures import mlp
from npintdim.engine.landscape import Batch
from npintdim.objective import SubspaceObjective
from npintdim.testing.checks import adjoint_matrix_check

CORNERS = [(1, 1), (2, 1), (2, 2), (3, 2), (15, 15), (16, 1), (17, 2), (31, 16), (33, 17), (31, 31), (33, 32)]


@pytest.mark.parametrize(("D", "d"), CORNERS)
def test_corners(draw, D, d):
    P = draw(D, d)
    dense = P.to_dense()
    assert dense.shape == (D, d)
    assert np.isfinite(dense).all()
    assert np.abs(np.linalg.norm(dense, axis=0) - 1).max() < 0.5
    adjoint_matrix_check(P)
    v = normal(d)
    np.testing.assert_allclose(P.apply_exact(v), dense @ v, atol=1e-13)
    assert len(P.fingerprint()) == 64


def test_one_parameter_and_one_direction(draw):
    assert draw(1, 1).to_dense() in (-1.0, 1.0)


@pytest.mark.parametrize(("D", "d"), [(100, 50), (64, 64), (300, 20), (400, 150)])
@pytest.mark.parametrize("name", ["gaussian", "rademacher", "stacked", "stacked, no S", "single"])
def test_rank_is_d_where_that_is_promised(name, D, d):
    """d ≤ D/2, or n | D."""
    assert np.linalg.matrix_rank(project(name, D, d).to_dense()) == d


def test_d_larger_than_every_layer(draw):
    """P is one matrix over all parameters; a layer of two biases feels all 30 directions."""
    model = mlp([3, 2, 5, 2], draw(1, 1).backend)
    D, d = model.D, 30
    assert D == 35
    P = draw(D, d)
    objective = SubspaceObjective(model, model.init_theta(0), P)
    theta = objective.theta(normal(d))
    moved = {name: view != 0 for name, view in model.layout.views(theta - objective.theta_0).items()}
    share = np.mean(np.concatenate([m.ravel() for m in moved.values()]))
    assert share == P.coverage() == np.mean(P.to_dense().any(axis=1))
    assert all(m.any() for m in moved.values())
    _, grad = objective.loss_and_grad(normal(d), Batch(normal(4, 3), np.array([0, 1, 1, 0])))
    assert grad.shape == (d,)
    assert grad.all() or P.kind in (
        "onehot",
        "coordinates",
    )  # where a number of its own belongs to a dead ReLU


@pytest.mark.parametrize(
    ("D", "d", "density"), [(2000, 3, None), (2000, 50, None), (2000, 3, 0.5), (100, 5, 1.0)]
)
def test_coverage_of_sparse(D, d, density):
    P = project("sparse", D, d, density=density)
    moves = P.to_dense().any(axis=1)
    assert P.coverage() == moves.mean()
    p = 1 - (1 - (density or D**-0.5)) ** d
    assert P.coverage() == pytest.approx(p, abs=4 * np.sqrt(p * (1 - p) / D))


@pytest.mark.parametrize("name", ["gaussian", "rademacher, drawn", "stacked", "single, no S"])
def test_coverage_elsewhere_is_one(name):
    P = project(name, 1000, 20)
    assert P.coverage() == 1.0
    assert P.to_dense().any(axis=1).all()


def test_neighbouring_D_share_no_structure():
    P, Q = (project("single", D, 4).to_dense() for D in (64, 65))
    assert np.abs(P - Q[:64]).max() > 0.01
