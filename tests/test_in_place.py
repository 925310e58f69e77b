"""A PyTorch module that moves in the subspace in place: θ, gradients, memory, and what is refused."""

import copy
import gc
import io
import weakref

import numpy as np
import pytest
from helpers import BACKENDS, python

import npintdim as nid
from npintdim.testing import InPlace, in_place, torch_landscape

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
nn, F = torch.nn, torch.nn.functional


class Transformer(nn.Module):
    """A causal language model of two layers; the embedding is the last layer, too."""

    def __init__(self, words=17, width=12, length=9):
        super().__init__()
        self.embed, self.place = nn.Embedding(words, width), nn.Embedding(length, width)
        layer = nn.TransformerEncoderLayer(
            width, 3, 2 * width, dropout=0.0, batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.last = nn.Linear(width, words, bias=False)
        self.last.weight = self.embed.weight
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))

    def forward(self, x):
        self.seen += x.numel()
        mask = torch.ones(x.shape[1], x.shape[1]).triu(1).bool()
        h = self.embed(x) + self.place(torch.arange(x.shape[1]))
        return self.last(self.layers(h, mask=mask, is_causal=True))


def language_model(dtype=torch.float64, frozen=()):
    torch.manual_seed(1)
    module = Transformer().to(dtype)
    for name in frozen:
        module.get_parameter(name).requires_grad_(False)
    return module


def loss_of(module, x=None):
    x = WORDS if x is None else x
    return F.cross_entropy(module(x[:, :-1]).flatten(0, 1), x[:, 1:].flatten())


WORDS = torch.randint(0, 17, (4, 10), generator=torch.Generator().manual_seed(3))


def projection(module, kind="fastfood", d=7, dtype=np.float64, backend="numpy", **options):
    D = sum(p.numel() for p in module.parameters() if p.requires_grad)
    return nid.make_projection(kind, D, d, 5, nid.get_backend(backend, dtype, 1), **options)


def flat(module):
    return torch.cat([p.detach().reshape(-1) for p in module.parameters() if p.requires_grad])


def autograd(module, P, v):
    """∂L/∂v of L(θ_0 + P v), with P as a matrix and θ in one piece."""
    v = v.detach().clone().requires_grad_()
    theta = flat(module) + torch.from_numpy(P.to_dense()) @ v
    named = {k: p for k, p in module.named_parameters() if p.requires_grad}
    parts = theta.split([p.numel() for p in named.values()])
    at = {k: part.view(p.shape) for (k, p), part in zip(named.items(), parts, strict=True)}
    out = torch.func.functional_call(module, at, (WORDS[:, :-1],), tie_weights=True)
    loss = F.cross_entropy(out.flatten(0, 1), WORDS[:, 1:].flatten())
    return loss, *torch.autograd.grad(loss, v)


def moved(inside, seed=0, scale=0.3):
    with torch.no_grad():
        inside.v += scale * torch.randn(inside.v.shape, generator=torch.Generator().manual_seed(seed))
    inside.move()


def relative(a, b):
    return float((a - b).norm() / b.norm())


@pytest.mark.parametrize("kind", ["fastfood", "dense", "sparse"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_loss_and_gradient_are_autograds(monkeypatch, backend, kind):
    monkeypatch.setattr(in_place, "ROWS", 100)  # many pieces
    module = language_model(frozen=["place.weight", "layers.layers.1.norm2.bias"])
    still = copy.deepcopy(module)
    options = {"stored": False} if kind != "sparse" else {}
    P = projection(module, kind, backend=backend, **options)
    inside = InPlace(module, P)
    for seed in range(3):
        moved(inside, seed)
        loss = loss_of(module)
        loss.backward()
        expected, gradient = autograd(still, P, inside.v)
        assert abs(loss.item() / expected.item() - 1) < 1e-13
        assert relative(inside.v.grad, gradient) < 1e-12
        assert all(p.grad is None for p in module.parameters())
        inside.v.grad = None
    assert torch.equal(module.place.weight, still.place.weight)
    assert module.last.weight is module.embed.weight
    assert module.seen == 3 * 36  # the module's own affair


def test_theta_is_theta_0_and_P_v_in_the_order_of_torch_landscape():
    module = language_model()
    landscape = torch_landscape(module)
    P = projection(module)
    inside = InPlace(module, P)
    moved(inside)
    whole = landscape.start() + P.apply(inside.v.detach().numpy())
    np.testing.assert_allclose(flat(module).numpy(), whole, rtol=0, atol=1e-15)
    assert inside.first["place.weight"] == 17 * 12


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_with_theta_0_theta_is_rounded_once(monkeypatch, dtype):
    monkeypatch.setattr(in_place, "ROWS", 128)
    module = language_model(dtype)
    file = io.BytesIO()
    torch.save(module.state_dict(), file)
    file.seek(0)
    P = projection(module, dtype=np.float32, stored=False)
    start = flat(module).float().numpy()
    inside = InPlace(module, P, theta_0=torch.load(file))
    for seed in range(20):
        moved(inside, seed, 0.05)
    expected = torch.from_numpy(start + P.apply(inside.v.detach().numpy())).to(dtype)
    assert torch.equal(flat(module), expected)
    loss_of(module).backward()
    assert inside.v.grad.dtype == torch.float32
    assert inside.v.grad.norm() > 0


def test_without_theta_0_the_drift_is_a_rounding_a_move():
    module = language_model(torch.float32)
    start = flat(module).double()
    P = projection(module, dtype=np.float32)
    inside = InPlace(module, P)
    moves, largest = 400, start.abs()
    for seed in range(moves):
        moved(inside, seed, 0.02)
        largest = torch.maximum(largest, flat(module).double().abs())
    exact = start + torch.from_numpy(projection(module).apply(inside.v.detach().double().numpy()))
    drift = (flat(module).double() - exact).abs() / (
        largest * 2.0**-23
    )  # in units of the last place, or half ones
    assert 0.3 < float(drift.quantile(0.9)) < 3 * moves**0.5
    assert float(drift.max()) < moves / 2 + 10


def test_it_trains_as_the_subspace_objective_does():
    module = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3)).double()
    landscape = torch_landscape(module)
    rng = np.random.default_rng(0)
    batch = nid.Batch(rng.normal(size=(32, 6)), rng.integers(0, 3, 32))
    P = projection(module)
    objective = nid.SubspaceObjective(landscape, landscape.start(), P)
    x, y = torch.from_numpy(batch.x), torch.from_numpy(batch.labels)
    inside = InPlace(module, P)
    optimizer = torch.optim.SGD([inside.v], lr=0.5)
    v = objective.start()
    for _ in range(30):
        optimizer.zero_grad()
        F.cross_entropy(module(x), y).backward()
        optimizer.step()
        inside.move()
        v = v - 0.5 * objective.loss_and_grad(v, batch)[1]
    np.testing.assert_allclose(inside.v.detach().numpy(), v, rtol=1e-10)
    inside.release()
    F.cross_entropy(module(x), y).backward()
    assert all(p.grad is not None for p in module.parameters())


def test_gradients_are_added_until_zero_grad_and_parameters_that_none_reaches_give_none():
    module = language_model()
    module.spare = nn.Parameter(torch.ones(5, dtype=torch.float64))
    inside = InPlace(module, projection(module))
    loss_of(module, WORDS[:2]).backward()
    loss_of(module, WORDS[2:]).backward()
    both = inside.v.grad / 2
    inside.v.grad = None
    loss_of(module).backward()
    assert relative(both, inside.v.grad) < 1e-13


def test_a_sparse_gradient_and_one_in_another_order():
    table = nn.Embedding(9, 4, sparse=True).double()
    P = projection(table)
    inside = InPlace(table, P)
    table(torch.tensor([1, 1, 7])).sum().backward()
    g = np.zeros((9, 4))
    g[1], g[7] = 2, 1
    np.testing.assert_allclose(inside.v.grad.numpy(), P.adjoint(g.ravel()), rtol=1e-12)
    line = nn.Linear(4, 3, bias=False).double()
    P = projection(line)
    inside = InPlace(line, P)
    (line.weight.T * torch.arange(12.0, dtype=torch.float64).view(4, 3)).sum().backward()
    np.testing.assert_allclose(
        inside.v.grad.numpy(), P.adjoint(np.arange(12.0).reshape(4, 3).T.ravel()), rtol=1e-12
    )


def test_nothing_of_the_size_of_the_module_is_kept():
    """Every tensor alive beside the parameters, in each hook, and after it."""
    module = nn.Sequential(*(nn.Linear(64, 64, bias=False) for _ in range(8)))
    inside = InPlace(module, projection(module, d=3, dtype=np.float32, stored=False))
    gradients, alive = [], []
    for p in module.parameters():
        p.register_hook(lambda g: gradients.append(weakref.ref(g)))
        p.register_post_accumulate_grad_hook(
            lambda p: alive.append(sum(r() is not None for r in gradients) - (p.grad is not None))
        )
    module(torch.ones(2, 64)).sum().backward()
    gc.collect()
    assert len(alive) == 8
    assert max(alive) <= 1
    assert sum(r() is not None for r in gradients) == 0
    inside.move()
    held = [vars(inside)[k] for k in ("v", "moved")]
    assert sum(t.numel() for t in held) == 6


def tied_by_data(module):
    other = nn.Linear(8, 3)
    other.weight.data = module.weight.data
    return nn.Sequential(module, other)


def test_the_module_begins_at_theta_0():
    module = nn.Linear(8, 3)
    InPlace(module, projection(module), {"weight": torch.full((3, 8), 2.0), "bias": torch.zeros(3)})
    assert flat(module).tolist() == [2.0] * 24 + [0.0] * 3


def test_another_one_on_the_same_module_says_so():
    module = nn.Linear(8, 3)
    P = projection(module)
    first = InPlace(module, P)
    second = InPlace(module, P)
    with pytest.raises(
        RuntimeError, match=r"has no gradient any more: another InPlace moves it, release\(\) that one$"
    ):
        module(torch.ones(8)).sum().backward()
    first.release()
    module(torch.ones(8)).sum().backward()
    assert second.v.grad.norm() > 0


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda m: InPlace(m, nid.make_projection("fastfood", 100, 5, 0)), ValueError,
         r"^P is D×d = 100×5, but D = 27 numbers of the module need a gradient$"),
        (lambda m: InPlace(m.double(), projection(m, dtype=np.float32)), ValueError,
         r"^weight is torch.float64, but P computes in torch.float32: get_backend\(dtype='float64'\)$"),
        (lambda m: InPlace(m.bfloat16(), projection(m)), ValueError,
         r"^weight is torch.bfloat16, in which small steps are lost to rounding: theta_0=, a state dict, is needed$"),
        (lambda m: InPlace(m, projection(m), {"weight": torch.ones(3, 8)}), ValueError,
         r"^bias is missing in theta_0: \(3,\) is needed$"),
        (lambda m: InPlace(m, projection(m), {"weight": torch.ones(8, 3)}), ValueError,
         r"^weight has shape \(8, 3\) in theta_0: \(3, 8\) is needed$"),
        (lambda m: InPlace(m, projection(m), m.state_dict()), ValueError,
         r"^weight of theta_0 is the module's own memory, which moves: copy.deepcopy\(module.state_dict\(\)\)$"),
        (lambda m: InPlace(m, projection(m), "theta_0.pt"), TypeError, r"^theta_0 is 'theta_0.pt': a Mapping is needed"),
        (lambda m: InPlace(m, projection(m), {"weight": np.ones((3, 8))}), TypeError,
         r"^weight of theta_0 is a ndarray: a tensor is needed$"),
        (lambda m: InPlace(tied_by_data(m), projection(m)), ValueError,
         r"^1.weight is the memory of 0.weight, but another parameter: tie them as one, without .data$"),
        (lambda m: InPlace(m, "fastfood"), TypeError, r"^P is 'fastfood': a Projection is needed, e\.g\. make_projection"),
        (lambda m: InPlace("module", None), TypeError, r"^module is 'module': a torch.nn.Module is needed$"),
    ],
)  # fmt: skip
def test_refused_in_a_line(make, error, message):
    with pytest.raises(error, match=message):
        make(nn.Linear(8, 3))


def test_refused_of_a_parameter():
    module = nn.Linear(8, 3)
    module.weight.data = module.weight.data.T.contiguous().T
    with pytest.raises(
        ValueError, match=r"^weight does not lie in C order: weight.data = weight.data.contiguous\(\)$"
    ):
        InPlace(module, projection(module))
    module = nn.Linear(8, 3)
    module(torch.ones(8)).sum().backward()
    with pytest.raises(ValueError, match=r"^weight has a gradient already: module.zero_grad\(\) before$"):
        InPlace(module, projection(module))
    module = nn.ParameterList([nn.Parameter(torch.ones(3, dtype=torch.complex64))])
    with pytest.raises(TypeError, match=r"^0 is torch.complex64: real numbers are needed$"):
        InPlace(module, projection(module, d=2))


def test_v_that_is_not_finite_spoils_nothing():
    module = nn.Linear(8, 3).double()
    before = flat(module)
    inside = InPlace(module, projection(module))
    with torch.no_grad():
        inside.v[3] = torch.nan
    with pytest.raises(ValueError, match=r"^v has numbers that are not finite: θ stays what it was$"):
        inside.move()
    assert torch.equal(flat(module), before)
    with torch.no_grad():
        inside.v.zero_()
    inside.move()
    assert torch.equal(flat(module), before)


def test_a_move_between_forward_and_backward_is_noticed():
    module = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 3)).double()
    inside = InPlace(module, projection(module))
    loss = module(torch.ones(2, 8, dtype=torch.float64)).sum()
    moved(inside)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_without_pytorch_it_says_so():
    code = (
        "import sys; sys.modules['torch'] = None\nfrom npintdim.testing import InPlace\nInPlace(None, None)"
    )
    run = python("-c", code)
    assert run.stderr.splitlines()[-1] == "ModuleNotFoundError: InPlace needs PyTorch: pip install torch"
