"""The PEFT package, over a small Llama built from its config: the same merged weights, the same gradients, the same map.

It has no LoRA-XS.
"""

import copy

import numpy as np
import pytest

import npintdim as nid
from npintdim.adapters import make_adapter
from npintdim.adapters.in_lora import peft_index
from npintdim.engine.params import ParamLayout

peft = pytest.importorskip("peft", reason="PEFT is not installed: pip install 'npintdim[peft]'")
torch = pytest.importorskip("torch", reason="PyTorch is not installed: PEFT computes with it")
transformers = pytest.importorskip("transformers", reason="transformers is not installed: PEFT needs it")

pytestmark = pytest.mark.filterwarnings("ignore")  # theirs
TARGETS = ["q_proj", "v_proj", "up_proj", "down_proj"]  # 16×16, 16×8, 16×24, 24×16
R, ALPHA, D_UNI, SEED = 3, 5.0, 37, 11


@pytest.fixture
def llama():
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=19, hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
    )  # fmt: skip
    return transformers.LlamaForCausalLM(config).double().eval()


def linears(model):
    """The adapted layers by name, in the model's order."""
    return {name: m for name, m in model.named_modules() if name.rsplit(".", 1)[-1] in TARGETS}


def flat(weights):
    """All (n_out, n_in) of PyTorch in a row, each as (n_in, n_out)."""
    return np.concatenate([w.detach().numpy().T.ravel() for w in weights])


def loss_of(model):
    words = torch.arange(24).reshape(3, 8) * 7 % 19
    return model(input_ids=words, labels=words).loss


def theirs(model, config):
    """PEFT's model in float64, everything that it trains moved off its start."""
    tuned = peft.get_peft_model(copy.deepcopy(model), config).double().eval()
    with torch.no_grad():
        for k, p in enumerate(p for p in tuned.parameters() if p.requires_grad):
            p += 0.1 * torch.cos(k + torch.arange(p.numel(), dtype=p.dtype)).reshape(p.shape)
    return tuned


def ours(model, kind, **options):
    layout = ParamLayout(tuple((f"{n}.W", tuple(m.weight.shape[::-1])) for n, m in linears(model).items()))
    theta_0, backend = flat(m.weight for m in linears(model).values()), nid.get_backend("numpy", np.float64)
    return make_adapter(kind, layout, theta_0, SEED, backend, **options)


def compare(model, tuned, T, v, gradient):
    """Merged weights, and Jᵀ ∂L/∂θ, where ∂L/∂θ is that of the plain model with our merged weights."""
    theta = T.theta(v)
    plain = copy.deepcopy(model)
    with torch.no_grad():
        for W, layer in zip(T.layout.views(theta).values(), linears(plain).values(), strict=True):
            layer.weight.copy_(torch.from_numpy(W.T.copy()))
    loss, tuned_loss = loss_of(plain), loss_of(tuned)
    loss.backward()
    tuned_loss.backward()
    assert abs(loss.item() - tuned_loss.item()) < 1e-12
    pulled = T.pullback(v, flat(layer.weight.grad for layer in linears(plain).values()))
    np.testing.assert_allclose(pulled, gradient(), rtol=0, atol=1e-10 * np.abs(pulled).max())
    assert np.abs(pulled).max() > 1e-4
    merged = flat(layer.weight for layer in linears(tuned.merge_and_unload()).values())
    np.testing.assert_allclose(theta, merged, rtol=0, atol=1e-14)
    assert np.abs(theta - T.theta_0).max() > 1e-3


def layers_of(tuned, attribute):
    return [m for m in tuned.modules() if hasattr(m, attribute) and m.__class__.__name__ == "Linear"]


@pytest.mark.parametrize("stabilised", [False, True], ids=["LoRA", "rsLoRA"])
def test_lora(llama, stabilised):
    config = peft.LoraConfig(r=R, lora_alpha=ALPHA, target_modules=TARGETS, use_rslora=stabilised)
    tuned = theirs(llama, config)
    factors = [f["default"].weight for m in layers_of(tuned, "lora_A") for f in (m.lora_A, m.lora_B)]
    T = ours(llama, "lora", r=R, alpha=ALPHA, stabilised=stabilised)
    compare(llama, tuned, T, flat(factors), lambda: flat(f.grad for f in factors))


def test_vera(llama):
    tuned = theirs(llama, peft.VeraConfig(r=R, target_modules=TARGETS, projection_prng_key=5))
    layers = layers_of(tuned, "vera_lambda_d")
    scales = [s["default"] for m in layers for s in (m.vera_lambda_d, m.vera_lambda_b)]
    T = ours(llama, "vera", r=R)
    A, B = (s["default"].numpy().T for s in (layers[0].vera_A, layers[0].vera_B))
    assert (A.shape, B.shape) == ((24, R), (R, 24))
    T.__dict__["frozen"] = [(A[:n_in], B[:, :n_out]) for n_in, n_out in T.shapes(T.layout)]
    compare(llama, tuned, T, flat(scales), lambda: flat(s.grad for s in scales))


def test_uni_lora(llama):
    """PEFT holds 1/√n in float32: the gradients are compared where it has it in float64, the map as it is."""
    config = peft.UniLoraConfig(r=R, theta_d_length=D_UNI, proj_seed=SEED, target_modules=TARGETS)
    tuned = theirs(llama, config)
    layers = layers_of(tuned, "unilora_indices_A")
    T = ours(llama, "uni_lora", d=D_UNI, r=R, index="peft")
    lora = T.composed.outer
    assert lora.dim % D_UNI  # some are drawn by choice
    h, n = peft_index(SEED, lora, D_UNI), np.bincount(peft_index(SEED, lora, D_UNI))
    for layer, (A, B) in zip(layers, lora.factors(h), strict=True):
        indices = [i["default"].numpy() for i in (layer.unilora_indices_A, layer.unilora_indices_B)]
        assert np.array_equal(indices[0].T, A) and np.array_equal(indices[1].T, B)
        layer.update_scaling("default", *(torch.from_numpy(1 / np.sqrt(n[i])) for i in indices))
    v = layers[0].unilora_theta_d["default"]
    compare(llama, tuned, T, v.detach().numpy().copy(), lambda: v.grad.numpy())
