"""theta as a PyTorch state_dict and back: the same loss and the same gradient, entry by entry."""

import numpy as np
import pytest
from helpers import normal

import npintdim as nid
from npintdim.testing import from_state_dict, to_state_dict


def mlp(dtype=np.float64):
    return nid.mlp(
        [7, 5, 5, 3], nid.get_backend("numpy", dtype)
    )  # a square W: no shape betrays its transpose


def lenet():
    return nid.lenet(
        (3, 20, 24), 10, nid.get_backend("numpy", np.float64)
    )  # h ≠ w: an order of c, h, w shows


def squeezenet():
    return nid.squeezenet((3, 32, 30), 3, nid.get_backend("numpy", np.float64))


def test_a_linear_weight_is_transposed_and_all_else_is_as_it_is():
    model = mlp()
    theta = np.arange(float(model.D))
    state = to_state_dict(model, theta)
    views = model.layout.views(theta)
    assert list(state) == [f"fc{i}.{name}" for i in (1, 2, 3) for name in ("weight", "bias")]
    for i in (1, 2, 3):
        np.testing.assert_array_equal(state[f"fc{i}.weight"], views[f"fc{i}.W"].T)
        np.testing.assert_array_equal(state[f"fc{i}.bias"], views[f"fc{i}.b"])
    conv = to_state_dict(lenet(), np.arange(float(lenet().D)))
    np.testing.assert_array_equal(conv["conv2.weight"].ravel(), np.arange(16 * 6 * 25) + 6 * 3 * 25 + 6)


@pytest.mark.parametrize("names", [None, ["0", "2", "4"], {"fc2": "body.dense"}])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_there_and_back(names, dtype):
    model = mlp(dtype)
    theta = model.init_theta(3)
    state = to_state_dict(model, theta, names)
    back = from_state_dict(model, dict(reversed(state.items())), names)
    assert back.dtype == theta.dtype
    np.testing.assert_array_equal(back, theta)
    for array in state.values():
        assert array.flags.c_contiguous
        array[...] = np.nan  # fresh: theta is not touched
    assert np.isfinite(theta).all()


def test_layers_of_your_own_keep_their_names():
    model = nid.Model(
        [nid.LocallyConnected2D(1, 4, 4, 2, 3), nid.Flatten(), nid.Linear(8, 2)],
        (1, 4, 4),
        nid.get_backend("numpy"),
    )
    theta = model.init_theta(0)
    state = to_state_dict(model, theta)
    assert list(state)[:2] == ["locallyconnected2d1.W", "locallyconnected2d1.b"]
    np.testing.assert_array_equal(from_state_dict(model, state), theta)


# ---- against PyTorch ----


def torch_mlp(torch):
    linear, relu = torch.nn.Linear, torch.nn.ReLU
    return torch.nn.Sequential(linear(7, 5), relu(), linear(5, 5), relu(), linear(5, 3)), ["0", "2", "4"]


def torch_lenet(torch):
    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1, self.conv2 = torch.nn.Conv2d(3, 6, 5), torch.nn.Conv2d(6, 16, 5)
            self.fc1, self.fc2, self.fc3 = (
                torch.nn.Linear(96, 120),
                torch.nn.Linear(120, 84),
                torch.nn.Linear(84, 10),
            )

        def forward(self, x):
            f = torch.nn.functional
            for conv in (self.conv1, self.conv2):
                x = f.max_pool2d(conv(x).relu(), 2)
            x = x.flatten(1)  # NCHW: channel, row, column
            return self.fc3(self.fc2(self.fc1(x).relu()).relu())

    return Net(), None


def torch_squeezenet(torch):
    """As in torchvision, by its names, without the dropout."""
    nn = torch.nn

    class Fire(nn.Module):
        def __init__(self, c, s, e1, e3):
            super().__init__()
            self.squeeze, self.expand1x1 = nn.Conv2d(c, s, 1), nn.Conv2d(s, e1, 1)
            self.expand3x3 = nn.Conv2d(s, e3, 3, padding=1)

        def forward(self, x):
            s = self.squeeze(x).relu()
            return torch.cat([self.expand1x1(s).relu(), self.expand3x3(s).relu()], 1)

    def pool():
        return nn.MaxPool2d(3, 2, ceil_mode=True)

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.features = nn.Sequential(
                nn.Conv2d(3, 96, 7, 2), nn.ReLU(), pool(),
                Fire(96, 16, 64, 64), Fire(128, 16, 64, 64), Fire(128, 32, 128, 128), pool(),
                Fire(256, 32, 128, 128), Fire(256, 48, 192, 192), Fire(384, 48, 192, 192), Fire(384, 64, 256, 256), pool(),
                Fire(512, 64, 256, 256),
            )  # fmt: skip
            self.classifier = nn.Sequential(
                nn.Dropout(0), nn.Conv2d(512, 3, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1)
            )

        def forward(self, x):
            return self.classifier(self.features(x)).flatten(1)

    fires = [f"features.{i}" for i in (3, 4, 5, 7, 8, 9, 10, 12)]
    return Net(), ["features.0", *fires, "classifier.1"]


NETS = {
    "mlp": (mlp, torch_mlp, (7,)),
    "lenet": (lenet, torch_lenet, (3, 20, 24)),
    "squeezenet": (squeezenet, torch_squeezenet, (3, 32, 30)),
}


@pytest.mark.parametrize("net", NETS)
def test_pytorch_has_the_same_loss_and_gradient(net):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: it is only a guest")
    make, make_torch, shape = NETS[net]
    model = make()
    module, names = make_torch(torch)
    module.double()
    theta = model.init_theta(1) + 0.05 * normal(model.D)  # biases that are not zero
    state = to_state_dict(model, theta, names)
    module.load_state_dict({key: torch.from_numpy(array) for key, array in state.items()})

    x, labels = normal(4, *shape), np.array([0, 2, 1, 2])
    loss, grad = model.loss_and_grad(theta, nid.Batch(x, labels))
    theirs = torch.nn.functional.cross_entropy(module(torch.from_numpy(x.copy())), torch.from_numpy(labels))
    theirs.backward()
    gradients = {key: value.grad for key, value in module.named_parameters()}
    assert float(loss) == pytest.approx(float(theirs.detach()), rel=1e-12)
    np.testing.assert_allclose(
        from_state_dict(model, gradients, names), grad, rtol=0, atol=1e-12 * np.abs(grad).max()
    )
    np.testing.assert_array_equal(from_state_dict(model, module.state_dict(), names), theta)


# ---- refusals ----


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("fc2.bias"), "the state has no fc2.bias"),
        (lambda s: s.update(scale=np.ones(1)), "it has, unused: scale"),
        (lambda s: s.update({"fc1.weight": s["fc1.weight"].T}), r"fc1.weight has shape \(7, 5\): \(5, 7\) is needed: fc1.W is \(7, 5\), and"),
        (lambda s: s.update({"fc1.bias": 1j * s["fc1.bias"]}), "fc1.bias has dtype complex128: real numbers are needed"),
        (lambda s: s.update({"fc1.bias": np.ones(1)}), r"fc1.bias has shape \(1,\): \(5,\) is needed$"),
    ],
)  # fmt: skip
def test_a_state_that_does_not_fit_is_refused(change, message):
    model = mlp()
    state = to_state_dict(model, model.init_theta(0))
    change(state)
    with pytest.raises(ValueError, match=message):
        from_state_dict(model, state)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["0", "2"], "names has 2 prefixes, but there are 3 layers: fc1, fc2, fc3"),
        ({"fc9": "head"}, "names has fc9, but the layers are fc1, fc2, fc3"),
        (["0", "0", "4"], "more than one layer is called 0"),
        ("024", "names is '024'"),
    ],
)
def test_names_that_do_not_fit_are_refused(names, message):
    model = mlp()
    with pytest.raises(ValueError, match=message):
        to_state_dict(model, model.init_theta(0), names)


def test_theta_of_another_length_is_refused():
    with pytest.raises(ValueError, match="theta has shape"):
        to_state_dict(mlp(), np.zeros(3))


def test_a_checkpoint_in_bfloat16_is_read():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: it is only a guest")
    model = mlp()
    theta = np.round(model.init_theta(3) * 64) / 64  # few enough bits for bfloat16
    state = {key: torch.from_numpy(x).bfloat16() for key, x in to_state_dict(model, theta).items()}
    np.testing.assert_array_equal(from_state_dict(model, state), theta)
