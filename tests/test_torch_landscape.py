"""A PyTorch module as a landscape: a function of θ and of the batch, and of nothing else."""

import copy

import numpy as np
import pytest
from helpers import measured

import npintdim as nid
from npintdim.testing import torch_landscape

torch = pytest.importorskip("torch", reason="PyTorch is not installed: the adapter is for those who have it")
nn = torch.nn
torch.set_num_threads(1)

RNG = np.random.default_rng(0)
X, LABELS = RNG.normal(size=(40, 6)), RNG.integers(0, 3, 40)
BATCH = nid.Batch(X, LABELS, step=5)


def net(*more, seed=0, out=3):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(6, 8), *more, nn.Tanh(), nn.Linear(8, out)).double()


NETS = {
    "plain": lambda: (net(), None), "dropout": lambda: (net(nn.Dropout(0.4)), None),
    "batch norm, statistics": lambda: (net(nn.BatchNorm1d(8)), X), "frozen": lambda: (net(nn.BatchNorm1d(8)), "frozen"),
    "without statistics of its own": lambda: (net(nn.BatchNorm1d(8, track_running_stats=False)), None),
    "layer norm": lambda: (net(nn.LayerNorm(8)), None),
}  # fmt: skip


@pytest.mark.parametrize("kind", NETS)
def test_it_is_a_function_of_theta(kind):
    module, statistics = NETS[kind]()
    before = copy.deepcopy(module.state_dict())
    L = torch_landscape(module, statistics=statistics)
    theta = L.start() + 0.1 * RNG.normal(size=L.dim)
    torch.manual_seed(3)
    drawn = torch.get_rng_state()
    loss, grad = L.loss_and_grad(theta, BATCH)
    seen = L.evaluate(theta, BATCH)
    L.loss_and_grad(theta + 1, nid.Batch(100 * X, LABELS, step=6))  # leaves no trace
    L.evaluate(theta + 1, nid.Batch(100 * X, LABELS))
    again, g = L.loss_and_grad(theta, BATCH)
    assert (again, g.tolist()) == (loss, grad.tolist())
    assert L.evaluate(theta, BATCH) == seen
    assert torch.equal(torch.get_rng_state(), drawn)
    assert all(torch.equal(value, before[key]) for key, value in module.state_dict().items())
    nid.gradient_check(L, theta, BATCH)
    v = RNG.normal(size=L.dim)
    up, down = (L.loss_and_grad(theta + h * v, BATCH)[0] for h in (1e-6, -1e-6))
    assert (up - down) / 2e-6 == pytest.approx(grad @ v, rel=1e-6)
    if (
        kind != "without statistics of its own"
    ):  # of which the evaluation depends on its batch, as PyTorch has it
        halves = [L.evaluate(theta, nid.Batch(X[i::2], LABELS[i::2])) for i in (0, 1)]
        assert np.mean([h.performance for h in halves]) == pytest.approx(seen.performance, rel=1e-12)
        assert np.mean([h.loss for h in halves]) == pytest.approx(seen.loss, rel=1e-12)


def test_dropout_is_on_in_training_and_its_mask_has_an_address():
    L = torch_landscape(net(nn.Dropout(0.4)))
    at = [L.loss_and_grad(L.start(), nid.Batch(X, LABELS, step))[0] for step in range(20)]
    assert len(set(at)) == 20
    assert np.mean(at) == pytest.approx(L.evaluate(L.start(), BATCH).loss, rel=0.05)
    assert torch_landscape(net(nn.Dropout(0.4)), seed=1).loss_and_grad(L.start(), BATCH)[0] not in at


def test_the_statistics_are_those_of_the_examples_at_this_theta():
    module = net(nn.BatchNorm1d(8))
    L = torch_landscape(module, statistics=X)
    theta = L.start() * 1.5
    own = L.module_at(theta)
    h = own[0](torch.from_numpy(X))
    own[1].running_mean.copy_(h.mean(0).detach())
    own[1].running_var.copy_(h.var(0).detach())
    logits = own(torch.from_numpy(X))
    assert L.evaluate(theta, BATCH).loss == pytest.approx(
        float(nn.functional.cross_entropy(logits, torch.from_numpy(LABELS)).detach()), rel=1e-12
    )


def test_one_flat_theta_both_ways():
    module = net()
    module[2].bias.requires_grad_(False)
    L = torch_landscape(module)
    assert L.dim == 6 * 8 + 8 + 8 * 3
    expected = [p.detach().numpy().ravel() for p in module.parameters() if p.requires_grad]
    np.testing.assert_array_equal(L.start(), np.concatenate(expected))
    theta = RNG.normal(size=L.dim)
    moved = L.module_at(theta)
    np.testing.assert_array_equal(torch_landscape(moved).start(), theta)
    assert torch.equal(moved[2].bias, module[2].bias)


def test_tied_parameters_come_once_and_unused_ones_have_no_slope():
    module = nn.Sequential(nn.Linear(6, 6), nn.Tanh(), nn.Linear(6, 6), nn.Linear(6, 3)).double()
    module[2].weight = module[0].weight
    module.register_parameter("spare", nn.Parameter(torch.ones(4, dtype=torch.float64)))
    L = torch_landscape(module)
    assert L.dim == 36 + 6 + 6 + 18 + 3 + 4
    theta = L.start()
    _, grad = L.loss_and_grad(theta, BATCH)
    assert list(grad[:4]) == [0] * 4
    nid.gradient_check(L, theta, BATCH)


def test_regression():
    y = (X @ RNG.normal(size=(6, 2))).astype(np.float64)
    L = torch_landscape(net(out=2), loss="mse", performance="r2")
    batch = nid.Batch(X, y)
    nid.gradient_check(L, L.start(), batch)
    assert L.evaluate(L.start(), batch).performance < 0.5
    exact = nn.Linear(6, 2).double()
    least, *_ = np.linalg.lstsq(X, y, rcond=None)
    with torch.no_grad():
        exact.weight.copy_(torch.from_numpy(least.T))
        exact.bias.zero_()
    assert torch_landscape(exact, "mse", "r2").evaluate(
        torch_landscape(exact).start(), batch
    ).performance == pytest.approx(1)
    one = nid.Batch(X, y[:, 0])
    single = torch_landscape(nn.Sequential(nn.Linear(6, 1), nn.Flatten(0)).double(), "mse", "r2")
    assert single.evaluate(single.start(), one).performance < 1
    column = torch_landscape(nn.Linear(6, 1).double(), "mse", "r2")  # (n, 1) against (n,): n pairs and not n²
    theta = column.start()
    loss, grad = column.loss_and_grad(theta, one)
    assert (
        loss
        == column.evaluate(theta, one).loss
        == pytest.approx(np.mean((X @ theta[:6] + theta[6] - one.labels) ** 2))
    )
    assert np.allclose(grad, column.loss_and_grad(theta, nid.Batch(X, y[:, :1]))[1])


@pytest.mark.filterwarnings("error")
def test_losses_and_scores_of_ones_own():
    L = torch_landscape(
        net(),
        lambda z, y: nn.functional.multi_margin_loss(z, y),
        lambda z, y: (z.topk(2).indices == y[:, None]).any(1).double().mean(),
    )
    nid.gradient_check(L, L.start(), BATCH)
    assert (
        L.evaluate(L.start(), BATCH).performance
        > torch_landscape(net()).evaluate(L.start(), BATCH).performance
    )


def make_objective(d, seed):
    torch.manual_seed(seed % 2**63)
    whole = torch_landscape(nn.Sequential(nn.Flatten(), nn.Linear(64, 20), nn.ReLU(), nn.Linear(20, 10)))
    return whole if d is None else whole.subspace("fastfood", d, seed)


def test_it_is_measured_like_any_other(tmp_path):
    adam = nid.Adam(lr=0.01).spec()
    recipe = nid.objective_recipe(
        make_objective,
        "digits",
        optimizer=adam,
        direct_optimizer=adam,
        d=(20, 200),
        seeds=1,
        direct_seeds=1,
        epochs=3,
    )
    m = measured(recipe, tmp_path)
    assert m.D == 64 * 20 + 20 + 20 * 10 + 10
    assert m.baseline.line[0] > 0.6 and m.d_int.means[0] < m.d_int.means[1]


def test_a_sparse_gradient():
    table = torch_landscape(nn.Embedding(9, 3, sparse=True).double())
    words = nid.Batch(RNG.integers(0, 9, 40), LABELS)
    nid.gradient_check(table, table.start(), words)


class Named(nn.Module):
    """As the outputs of many a library."""

    def forward(self, x):
        return {"logits": x}


NAMED = r"^the module gave a dict: a tensor \(n, ...\) is needed, so wrap it in a module whose forward returns the log"


def tied_by_data():
    module = net(out=6)
    module[2].weight.data = module[0].weight.data.T.contiguous()
    module[0].weight.data = module[2].weight.data.view(8, 6)
    return module


@pytest.mark.parametrize(
    ("make", "error", "says"),
    [
        (lambda: torch_landscape(net), TypeError, "a torch.nn.Module is needed"),
        (lambda: torch_landscape(nn.ReLU()), ValueError, "no parameter that needs a gradient"),
        (lambda: torch_landscape(nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2).double())), ValueError,
         "the parameters are .*torch.float32, torch.float64: one dtype and one device are needed"),
        (lambda: torch_landscape(nn.Linear(2, 2).half()), ValueError, "torch.float16: dtype='float32'"),
        (lambda: torch_landscape(net(), loss="hinge"), ValueError, "loss.*hinge.*cross_entropy, mse"),
        (lambda: torch_landscape(net(), performance="auc"), ValueError, "performance.*auc.*accuracy, r2"),
        (lambda: torch_landscape(net(), dtype="float16"), ValueError, "dtype.*float16"),
        (lambda: torch_landscape(net(nn.BatchNorm1d(8))), ValueError, "^1: BatchNorm's running statistics are no part"),
        (lambda: torch_landscape(net(nn.BatchNorm1d(8)), statistics="thawed"), ValueError, "statistics.*thawed.*frozen"),
        (lambda: torch_landscape(net(nn.InstanceNorm1d(8, track_running_stats=True))), ValueError, "^1: BatchNorm's running"),
        (lambda: torch_landscape(tied_by_data()), ValueError, "^2.weight is the memory of 0.weight, but another parameter"),
        (lambda: torch_landscape(net(), "mse").evaluate(np.zeros(83), nid.Batch(X, X[:, :3])), ValueError,
         r"^performance is 'accuracy', of classes \(40,\), but the labels are torch.float64 \(40, 3\): 'r2' is for numbers$"),
        (lambda: torch_landscape(net(), "mse").loss_and_grad(np.zeros(83), nid.Batch(X, X)), ValueError,
         r"^the outputs have shape \(40, 3\), the labels \(40, 6\)$"),
        (lambda: torch_landscape(net()).loss_and_grad(np.zeros(3), BATCH), ValueError, r"theta has shape \(3,\): \(83,\)"),
        (lambda: torch_landscape(net()).evaluate(np.zeros(83), nid.Batch()), ValueError, "empty"),
        (lambda: torch_landscape(net()).loss_and_grad(np.zeros(83), nid.Batch()), ValueError, "batch.x is None"),
        (lambda: torch_landscape(nn.Sequential(net(), Named())).loss_and_grad(np.zeros(83), BATCH), TypeError, NAMED),
        (lambda: torch_landscape(nn.Sequential(net(), Named())).evaluate(np.zeros(83), BATCH), TypeError, NAMED),
    ],
)  # fmt: skip
def test_refusals(make, error, says):
    with pytest.raises(error, match=says):
        make()
