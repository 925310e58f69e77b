"""Every error message of the core: what was given, and what is needed, before any work is lost."""

import re
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from helpers import normal

from npintdim.adapters import LoRA, make_adapter, rank_of
from npintdim.artefact.compress import CompressedModel
from npintdim.artefact.mdl import binomial_bound, certify, describe, finetune, fit, quantise, smallest
from npintdim.backend import get_backend, missing
from npintdim.cli import main
from npintdim.data import load_dataset
from npintdim.engine.architectures import fctied_lenet, lenet, mlp, model_from_spec, squeezenet, untied_lenet
from npintdim.engine.landscape import Batch, Dataset, Examples
from npintdim.engine.layers import (
    Conv2D,
    Fire,
    Flatten,
    GlobalAveragePool,
    Linear,
    LocallyConnected2D,
    MaxPool2D,
    ReLU,
    Unflatten,
)
from npintdim.engine.model import Model
from npintdim.engine.optimizers import SGD, Adam, optimizer_from_spec
from npintdim.engine.params import ParamLayout
from npintdim.engine.train import TrainConfig, train
from npintdim.es import Episodes
from npintdim.es.environments import RANGES
from npintdim.es.policies import policy
from npintdim.inputs import check_integer, counted
from npintdim.machine import blas_threads
from npintdim.measurement.estimate import d_int
from npintdim.measurement.measure import measure
from npintdim.measurement.recipes import DIGITS, Recipe, objective_recipe
from npintdim.measurement.sweep import sweep
from npintdim.measurement.work import Where
from npintdim.objective import L2, Composed, ParametrisedObjective, Subspace, SubspaceObjective
from npintdim.projections import make_projection, projection_from_spec
from npintdim.rng import Purpose, Stream
from npintdim.testing.checks import adjoint_matrix_check, dot_test
from npintdim.testing.gradient import check_pullback, gradient_check
from npintdim.toy.phase import explore
from npintdim.toy.problem import ToyProblem, expected_share

CPU = get_backend("numpy", np.float64, threads=1)
MODEL = mlp([4, 3, 2], CPU)  # D = 23
THETA = MODEL.init_theta(0)
X, LABELS = normal(5, 4), np.array([0, 1, 1, 0, 1])
P = make_projection("fastfood", 23, 3, 0, CPU)
TOY = ToyProblem(20, 5)
LORA, BIASES = (
    make_adapter(kind, MODEL.layout, THETA, 0, CPU, **r) for kind, r in (("lora", {"r": 1}), ("only", {}))
)
SMALL = CompressedModel.from_parts(MODEL, 0, P, [0.1, 0.2, 0.3])
GOLDEN = Path(__file__).parent / "golden" / "mlp-dense.npid"


def batch(x=X, labels=LABELS):
    return Batch(x, labels)


def dataset(x=X, labels=LABELS, classes=2, test=None):
    return Dataset("made-up", Batch(x, labels), test or batch(), classes)


def project(kind="fastfood", D=100, d=5, seed=0, **options):
    return make_projection(kind, D, d, seed, CPU, **options)


def with_nan(x, value=np.nan):
    x = x.copy()
    x[1, 2] = value
    return x


# (exception, exact message, what raises it)
MESSAGES = {
    # P
    "d > D": (ValueError, "d is 101: 1 ≤ d ≤ D = 100 is needed", lambda: project(d=101)),
    "d = 0": (ValueError, "d is 0: 1 ≤ d ≤ D = 100 is needed", lambda: project(d=0)),
    "d < 0": (ValueError, "d is -3: 1 ≤ d ≤ D = 100 is needed", lambda: project(d=-3)),
    "d real": (TypeError, "d is 2.0: an integer with 1 ≤ d ≤ D = 100 is needed", lambda: project(d=2.0)),
    "d bool": (TypeError, "d is True: an integer with 1 ≤ d ≤ D = 100 is needed", lambda: project(d=True)),
    "D = 0": (ValueError, "D is 0: D ≥ 1 is needed", lambda: project(D=0)),
    "D too large for sparse rows": (
        ValueError, "D is 2147483648: 1 ≤ D ≤ 2147483647 is needed", lambda: project("sparse", D=2**31),
    ),
    "D text": (TypeError, "D is '100': an integer with D ≥ 1 is needed", lambda: project(D="100")),
    "seed < 0": (ValueError, "seed is -1: 0 ≤ seed < 2**64 is needed", lambda: project(seed=-1)),
    "seed too large": (
        ValueError, "seed is 18446744073709551616: 0 ≤ seed < 2**64 is needed", lambda: project(seed=2**64),
    ),
    "seed real": (TypeError, "seed is 1.5: an integer with 0 ≤ seed < 2**64 is needed", lambda: project(seed=1.5)),
    "seed bool": (TypeError, "seed is True: an integer with 0 ≤ seed < 2**64 is needed", lambda: project(seed=True)),
    "seed None": (TypeError, "seed is None: an integer with 0 ≤ seed < 2**64 is needed", lambda: project(seed=None)),
    "seed NumPy bool": (
        TypeError, f"seed is {np.True_!r}: an integer with 0 ≤ seed < 2**64 is needed", lambda: project(seed=np.True_),
    ),
    "kind": (
        ValueError, "unknown projection 'fastfoot': choose one of dense, sparse, fastfood, onehot, orthonormal, coordinates. Did you mean 'fastfood'?",
        lambda: project("fastfoot"),
    ),
    "kind without a near miss": (
        ValueError,
        "unknown projection 'qr': choose one of dense, sparse, fastfood, onehot, orthonormal, coordinates. "
        "One of your own is known where the module that registers it was imported.",
        lambda: project("qr"),
    ),
    "option": (
        ValueError, "unknown option of 'fastfood' 'sings': choose one of blocks, signs, stored. Did you mean 'signs'?",
        lambda: project(sings=False),
    ),
    "option of another kind": (
        ValueError, "unknown option of 'sparse' 'stored': choose one of density.",
        lambda: project("sparse", stored=False),
    ),
    "blocks": (
        ValueError, "unknown blocks 'stack': choose one of stacked, single. Did you mean 'stacked'?",
        lambda: project(blocks="stack"),
    ),
    "entries": (
        ValueError, "unknown entries 'gauss': choose one of gaussian, rademacher. Did you mean 'gaussian'?",
        lambda: project("dense", entries="gauss"),
    ),
    "backend by name": (
        TypeError, "backend is 'numpy': a Backend is needed, e.g. get_backend('numpy')",
        lambda: make_projection("dense", 10, 5, 0, backend="numpy"),
    ),
    "backend of a model": (
        TypeError, "backend is 3: a Backend is needed, e.g. get_backend('numpy')", lambda: mlp([4, 2], backend=3),
    ),
    "backend of a measurement": (
        TypeError, "backend is 'numpy': a Backend is needed, e.g. get_backend('numpy')",
        lambda: measure(DIGITS, "results", backend="numpy"),
    ),
    "backend of a file": (
        TypeError, "backend is 'numpy': a Backend is needed, e.g. get_backend('numpy')",
        lambda: CompressedModel.load(GOLDEN, backend="numpy"),
    ),
    "recipe by name": (
        TypeError, "recipe is 'digits': a Recipe is needed, e.g. recipe_for('mnist')",
        lambda: measure("digits", "results"),
    ),
    "a function for a recipe": (
        TypeError,
        "recipe is a function: a Recipe is needed, e.g. objective_recipe(make_objective, data, ...), where "
        "make_objective is your function",
        lambda: measure(lambda d, seed: None, "digits"),
    ),
    "grid of text": (
        TypeError, "d is '10': a grid such as (100, 300, 750), or None for a search, is needed",
        lambda: Recipe("digits", {"architecture": "mlp", "sizes": [64, 10]}, d="10"),
    ),
    "certify a projection": (
        TypeError, "compressed is a FastfoodProjection: a CompressedModel is needed, e.g. CompressedModel.load(path)",
        lambda: certify(project(), dataset()),
    ),
    "quantise a number": (
        TypeError, "compressed is 3: a CompressedModel is needed, e.g. CompressedModel.load(path)",
        lambda: quantise(3, "uniform", 3),
    ),
    "signs": (TypeError, "signs is 'no': True or False is needed", lambda: project(signs="no")),
    "stored": (TypeError, "stored is 0: True or False is needed", lambda: project("dense", stored=0)),
    **{
        f"density {value}": (
            ValueError, f"density is {value!r}: a number in (0, 1], at least 2**-53, is needed",
            lambda value=value: project("sparse", density=value),
        )
        for value in (0, -0.1, 1.5, float("nan"), 1e-17)
    },
    "density True": (TypeError, "density is True: a number is needed", lambda: project("sparse", density=True)),
    "density text": (TypeError, "density is 'half': a number is needed", lambda: project("sparse", density="half")),
    "empty column": (
        ValueError,
        "column 0 of the sparse P, D×d = 100×5, seed 1, is empty at density 0.0001: "
        "take another seed, a higher density, or kind 'dense'",
        lambda: project("sparse", seed=1, density=1e-4),
    ),
    "spec of P": (
        ValueError, "unknown projection 'sparce': choose one of dense, sparse, fastfood, onehot, orthonormal, coordinates. Did you mean 'sparse'?",
        lambda: projection_from_spec(project("sparse").spec() | {"kind": "sparce"}, CPU),
    ),
    # products
    "theta_d too long": (
        ValueError, "theta_d has shape (4,), but P is D×d = 23×3: theta_d must have shape (3,)",
        lambda: P.apply(np.zeros(4)),
    ),
    "theta_d a column": (
        ValueError, "theta_d has shape (3, 1), but P is D×d = 23×3: theta_d must have shape (3,); "
        "P @ V and P.T @ G take matrices, column by column",
        lambda: P.apply(np.zeros((3, 1))),
    ),
    "theta_d a number": (
        ValueError, "theta_d has shape (), but P is D×d = 23×3: theta_d must have shape (3,)",
        lambda: P.apply(np.float64(3)),
    ),
    "grad_theta": (
        ValueError, "grad_theta has shape (3,), but P is D×d = 23×3: grad_theta must have shape (23,)",
        lambda: P.adjoint(np.zeros(3)),
    ),
    "P @ V": (
        ValueError, "theta_d has shape (2,), but P is D×d = 23×3: theta_d must have shape (3,)",
        lambda: P @ np.zeros((2, 5)),
    ),
    "complex": (TypeError, "theta_d has dtype complex128: real numbers are needed", lambda: P.apply(np.zeros(3, complex))),
    "object": (TypeError, "grad_theta has dtype object: real numbers are needed", lambda: P.adjoint(np.zeros(23, object))),
    "text": (TypeError, "theta_d has dtype <U1: real numbers are needed", lambda: P.apply(np.array(["a", "b", "c"]))),
    "theta with strides": (
        ValueError, "theta is not contiguous: views of a strided vector would be copies",
        lambda: MODEL.loss_and_grad(np.zeros((23, 2))[:, 0], batch()),
    ),
    # backend
    "backend": (
        ValueError, "unknown backend 'nunba': choose one of numpy, numba, cupy. Did you mean 'numba'?",
        lambda: get_backend("nunba"),
    ),
    "dtype": (
        ValueError, "dtype is float16: float32 (to run) or float64 (to check) is needed",
        lambda: get_backend("numpy", np.float16),
    ),
    "no thread": (ValueError, "threads is 0: an integer with 1 ≤ threads ≤ 4096 is needed", lambda: get_backend("numpy", threads=0)),
    "half a thread": (ValueError, "threads is 1.5: an integer with 1 ≤ threads ≤ 4096 is needed", lambda: get_backend("numpy", threads=1.5)),
    # networks
    "one size": (ValueError, "sizes is [784]: at least [n_in, classes] is needed", lambda: mlp([784], CPU)),
    "no size": (ValueError, "sizes is []: at least [n_in, classes] is needed", lambda: mlp([], CPU)),
    "size 0": (ValueError, "each of sizes is 0: n ≥ 1 is needed", lambda: mlp([4, 0, 2], CPU)),
    "size real": (TypeError, "each of sizes is 3.0: an integer with n ≥ 1 is needed", lambda: mlp([4, 3.0], CPU)),
    "lenet of small images": (
        ValueError, "in_shape is (1, 28, 15): LeNet needs images of at least 16×16", lambda: lenet((1, 28, 15), 10, CPU),
    ),
    "lenet without channels": (
        ValueError, "in_shape is (28, 28): (channels, height, width) is needed", lambda: lenet((28, 28), 10, CPU),
    ),
    "lenet with half a channel": (
        TypeError, "each of in_shape is 0.5: an integer with (channels, height, width) ≥ 1 is needed",
        lambda: lenet((0.5, 28, 28), 10, CPU),
    ),
    "lenet classes": (ValueError, "classes is 0: classes ≥ 1 is needed", lambda: lenet((1, 28, 28), 0, CPU)),
    "fctied lenet of oblong images": (
        ValueError, "in_shape is (1, 28, 20): square images are needed, as the kernels are",
        lambda: fctied_lenet((1, 28, 20), 10, CPU),
    ),
    "squeezenet of small images": (
        ValueError, "in_shape is (3, 28, 64): SqueezeNet needs (channels, height, width) of at least 29×29",
        lambda: squeezenet((3, 28, 64), 10, CPU),
    ),
    "a fire of other channels": (ValueError, "Fire takes (3, h, w) but gets (4, 5, 5)", lambda: Fire(3, 1, 1, 1).out_shape((4, 5, 5))),
    "a global average of rows": (
        ValueError, "GlobalAveragePool takes (c, h, w) but gets (7,)", lambda: GlobalAveragePool().out_shape((7,)),
    ),
    "untied lenet of small images": (
        ValueError, "in_shape is (1, 15, 28): LeNet needs images of at least 16×16",
        lambda: untied_lenet((1, 15, 28), 10, CPU),
    ),
    "LocallyConnected2D k": (
        ValueError, "k is 5, but images are 4×6: k ≤ 4 is needed", lambda: LocallyConnected2D(1, 4, 6, 2, 5),
    ),
    "LocallyConnected2D of no channel": (
        ValueError, "c_in is 0: c_in ≥ 1 is needed", lambda: LocallyConnected2D(0, 4, 6, 2, 3),
    ),
    "LocallyConnected2D of another image": (
        ValueError, "local takes (1, 4, 6) but gets (1, 4, 5)",
        lambda: LocallyConnected2D(1, 4, 6, 2, 3, name="local").out_shape((1, 4, 5)),
    ),
    "Unflatten of another size": (
        ValueError, "Unflatten takes (24,) but gets (23,)", lambda: Unflatten(2, 3, 4).out_shape((23,)),
    ),
    "Unflatten to nothing": (ValueError, "h is 0: h ≥ 1 is needed", lambda: Unflatten(1, 0, 2)),
    "architecture": (
        ValueError, "unknown architecture 'lnet': choose one of mlp, lenet, untied-lenet, fctied-lenet, fc-lenet, squeezenet. Did you mean 'lenet'?",
        lambda: model_from_spec({"architecture": "lnet"}),
    ),
    "layer": (
        ValueError,
        "unknown layer 'Conv3D': choose one of AveragePool2D, ChannelNorm, Conv2D, Dropout, Fire, Flatten, GELU, GlobalAveragePool, LayerNorm, "
        "Linear, LocallyConnected2D, MaxPool2D, ReLU, Sigmoid, Standardise, Tanh, Unflatten. Did you mean 'Conv2D'?",
        lambda: model_from_spec({"in_shape": [3], "layers": [{"kind": "Conv3D"}]}),
    ),
    "spec of nothing": (
        ValueError, "spec {'D': 3} describes no network: it has neither 'architecture' nor 'layers'",
        lambda: model_from_spec({"D": 3}),
    ),
    "Linear of 0": (ValueError, "n_in is 0: n_in ≥ 1 is needed", lambda: Linear(0, 2)),
    "Linear to -1": (ValueError, "n_out is -1: n_out ≥ 1 is needed", lambda: Linear(2, -1)),
    "Conv2D c_in": (ValueError, "c_in is 0: c_in ≥ 1 is needed", lambda: Conv2D(0, 1, 1)),
    "Conv2D c_out": (ValueError, "c_out is 0: c_out ≥ 1 is needed", lambda: Conv2D(1, 0, 1)),
    "Conv2D k": (TypeError, "k is (3, 3): an integer with k ≥ 1 is needed", lambda: Conv2D(1, 1, (3, 3))),
    "Conv2D stride": (ValueError, "stride is 0: stride ≥ 1 is needed", lambda: Conv2D(1, 1, 3, stride=0)),
    "Conv2D padding": (ValueError, "padding is -1: padding ≥ 0 is needed", lambda: Conv2D(1, 1, 3, padding=-1)),
    "MaxPool2D size": (ValueError, "size is 0: size ≥ 1 is needed", lambda: MaxPool2D(0)),
    "MaxPool2D stride": (ValueError, "stride is -1: stride ≥ 0 is needed", lambda: MaxPool2D(2, -1)),
    "Linear does not fit": (
        ValueError, "fc takes (4,) but gets (5,); put Flatten before it?", lambda: Model([Linear(4, 2, name="fc")], (5,), CPU),
    ),
    "Linear on images": (
        ValueError, "linear1 takes (4,) but gets (1, 2, 2); put Flatten before it?", lambda: Model([Linear(4, 2)], (1, 2, 2), CPU),
    ),
    "Conv2D channels": (
        ValueError, "conv2d1 takes (3, h, w) with h, w ≥ 5, but gets (1, 28, 28)",
        lambda: Model([Conv2D(3, 6, 5)], (1, 28, 28), CPU),
    ),
    "Conv2D small image": (
        ValueError, "conv2d1 takes (1, h, w) with h, w ≥ 3, but gets (1, 2, 9)",
        lambda: Model([Conv2D(1, 6, 5, padding=1)], (1, 2, 9), CPU),
    ),
    "Conv2D on rows": (
        ValueError, "conv2d1 takes (1, h, w) with h, w ≥ 3, but gets (784,)",
        lambda: Model([Conv2D(1, 6, 3)], (784,), CPU),
    ),
    "MaxPool2D small image": (
        ValueError, "maxpool2d1 takes (c, h, w), h, w ≥ 3, not (1, 2, 3)", lambda: Model([MaxPool2D(3)], (1, 2, 3), CPU),
    ),
    "no class axis": (
        ValueError, "the last layer gives (6, 26, 26) per example: (classes,) is needed; add Flatten?",
        lambda: Model([Conv2D(1, 6, 3), ReLU()], (1, 28, 28), CPU),
    ),
    "names twice": (
        ValueError, "parameter names must differ, but fc.W, fc.b occurs more than once",
        lambda: Model([Linear(3, 3, name="fc"), Linear(3, 2, name="fc")], (3,), CPU),
    ),
    "a given name meets an automatic one": (
        ValueError, "parameter names must differ, but linear1.W, linear1.b occurs more than once",
        lambda: Model([Linear(3, 3), Linear(3, 2, name="linear1")], (3,), CPU),
    ),
    "seed of theta_0": (ValueError, "seed is -1: 0 ≤ seed < 2**64 is needed", lambda: MODEL.init_theta(-1)),
    "theta too short": (
        ValueError, "theta has shape (22,), but D = 23: theta must have shape (23,)",
        lambda: MODEL.loss_and_grad(np.zeros(22), batch()),
    ),
    "theta a matrix": (
        ValueError, "theta has shape (23, 1), but D = 23: theta must have shape (23,)",
        lambda: MODEL.evaluate(np.zeros((23, 1)), batch()),
    ),
    "theta complex": (
        TypeError, "theta has dtype complex128: real numbers are needed",
        lambda: MODEL.loss_and_grad(np.zeros(23, complex), batch()),
    ),
    "layout": (
        ValueError, "theta has shape (3,), but D = 2: theta must have shape (2,)",
        lambda: ParamLayout((("W", (2,)),)).views(np.zeros(3)),
    ),
    # batches
    "tuple for a batch": (
        TypeError, "batch is a tuple: a Batch is needed, e.g. Batch(x, labels)", lambda: MODEL.loss_and_grad(THETA, (1, 2)),
    ),
    "tuple to evaluate on": (
        TypeError, "data is a tuple: a Batch is needed, e.g. Batch(x, labels)", lambda: MODEL.evaluate(THETA, (1, 2)),
    ),
    "a d that no run can have": (
        ValueError,
        "d is 4294967296: 1 ≤ d ≤ 4294967295 is needed",
        lambda: Recipe("digits", {"architecture": "mlp", "sizes": [64, 10]}, d=(5, 2**32)),
    ),
    "the last repetition's seed": (
        ValueError,
        "seed is 1000000001: 0 ≤ seed ≤ 1000000000 is needed",
        lambda: Recipe("digits", {"architecture": "mlp", "sizes": [64, 10]}, d=5, seed=10**9, seeds=2, direct_seeds=1),
    ),
    "tuple in a recipe": (
        TypeError, "data is a tuple: a name, Dataset.from_arrays(x, y), or a function is needed",
        lambda: Recipe((1, 2), MODEL, d=2),
    ),
    "x missing": (ValueError, "batch.x is None: a Model needs examples", lambda: MODEL.loss_and_grad(THETA, Batch())),
    "x of another width": (
        ValueError, "batch.x has shape (5, 3), but the model takes (4,) per example: (n, 4) is needed",
        lambda: MODEL.loss_and_grad(THETA, batch(X[:, :3])),
    ),
    "x one example": (
        ValueError, "batch.x has shape (4,), but the model takes (4,) per example: (n, 4) is needed",
        lambda: MODEL.loss_and_grad(THETA, batch(X[0])),
    ),
    "x text": (
        TypeError, "batch.x has dtype <U32: real numbers are needed",
        lambda: MODEL.loss_and_grad(THETA, batch(X.astype(str))),
    ),
    "labels missing": (
        ValueError, "batch.labels is None: a Model needs labels", lambda: MODEL.loss_and_grad(THETA, Batch(X)),
    ),
    "labels list": (
        TypeError, "batch.labels is a list, not an array of 'numpy'",
        lambda: MODEL.loss_and_grad(THETA, batch(labels=[0, 1, 1, 0, 1])),
    ),
    "labels too few": (
        ValueError, "batch.labels is int64 (4,): integers of shape (5,) are needed",
        lambda: MODEL.loss_and_grad(THETA, batch(labels=LABELS[:4])),
    ),
    "labels real": (
        ValueError, "batch.labels is float64 (5,): integers of shape (5,) are needed; targets that are numbers need "
        "Model(..., loss='mse')",
        lambda: MODEL.loss_and_grad(THETA, batch(labels=LABELS * 1.0)),
    ),
    "labels one-hot": (
        ValueError, "batch.labels is int64 (5, 2): integers of shape (5,) are needed",
        lambda: MODEL.evaluate(THETA, batch(labels=np.eye(2, dtype=np.int64)[LABELS])),
    ),
    "label too large": (
        ValueError, "batch.labels run from 1 to 2, but the model's 2 classes need 0 to 1",
        lambda: MODEL.evaluate(THETA, batch(labels=LABELS + 1)),
    ),
    "label negative": (
        ValueError, "batch.labels run from -1 to 0, but the model's 2 classes need 0 to 1",
        lambda: MODEL.loss_and_grad(THETA, batch(labels=LABELS - 1)),
    ),
    "nothing to evaluate": (
        ValueError, "the data to evaluate on is empty", lambda: MODEL.evaluate(THETA, batch(X[:0], LABELS[:0])),
    ),
    # data sets
    "data set empty": (
        ValueError, "made-up train: the data set is empty; x (n, ...) and labels (n,) with n ≥ 1 are needed",
        lambda: dataset(X[:0], LABELS[:0]),
    ),
    "data set without labels": (
        ValueError, "made-up test: the data set is empty; x (n, ...) and labels (n,) with n ≥ 1 are needed",
        lambda: dataset(test=Batch(X)),
    ),
    "NaN": (ValueError, "made-up train: x holds NaN or infinity", lambda: dataset(with_nan(X))),
    "infinity": (ValueError, "made-up test: x holds NaN or infinity", lambda: dataset(test=batch(with_nan(X, -np.inf)))),
    "both infinities": (
        ValueError, "made-up train: x holds NaN or infinity",
        lambda: dataset(np.where(np.arange(20).reshape(5, 4) % 2, np.inf, -np.inf)),
    ),
    "data set of lists": (TypeError, "made-up train: x is a list: an array is needed", lambda: dataset(X.tolist())),
    "data set labels list": (
        TypeError, "made-up train: labels is a list: an array is needed", lambda: dataset(labels=LABELS.tolist()),
    ),
    "data set complex": (
        TypeError, "made-up train: x has dtype complex128: real numbers are needed", lambda: dataset(X + 1j),
    ),
    "data set object": (
        TypeError, "made-up train: x has dtype object: real numbers are needed", lambda: dataset(X.astype(object)),
    ),
    "data set labels too few": (
        ValueError, "made-up train: x has 5 examples, but labels have shape (3,): (5,) is needed",
        lambda: dataset(labels=LABELS[:3]),
    ),
    "data set labels real": (
        TypeError, "made-up train: labels have dtype float32: integers are needed",
        lambda: dataset(labels=LABELS.astype(np.float32)),
    ),
    "data set label too large": (
        ValueError, "made-up train: labels run from 0 to 1, but 1 classes need 0 to 0", lambda: dataset(classes=1),
    ),
    "data set label negative": (
        ValueError, "made-up test: labels run from -1 to 0, but 2 classes need 0 to 1",
        lambda: dataset(test=batch(labels=LABELS - 1)),
    ),
    "data set of two shapes": (
        ValueError, "made-up: an example of train has shape (4,), one of test (2, 2): they must agree",
        lambda: dataset(test=batch(X.reshape(5, 2, 2))),
    ),
    # objectives
    "theta_0": (
        ValueError, "theta_0 has shape (22,), but P is D×d = 23×3: (23,) is needed",
        lambda: SubspaceObjective(MODEL, THETA[:22], P),
    ),
    "P of another D": (
        ValueError, "P is D×d = 24×3, but the landscape has D = 23",
        lambda: SubspaceObjective(MODEL, THETA, project(D=24, d=3)),
    ),
    "theta_d of an objective": (
        ValueError, "theta_d has shape (23,), but P is D×d = 23×3: theta_d must have shape (3,)",
        lambda: SubspaceObjective(MODEL, THETA, P).loss_and_grad(THETA, batch()),
    ),
    "L2 weight": (ValueError, "weight is -0.1: a number ≥ 0 is needed", lambda: L2(MODEL, MODEL.layout, -0.1)),
    "L2 weight NaN": (
        ValueError, "weight is nan: a number ≥ 0 is needed", lambda: L2(MODEL, MODEL.layout, float("nan")),
    ),
    "L2 of the subspace": (
        ValueError, "the layout has D = 23, but the landscape has 3 coordinates: wrap the network, not its subspace",
        lambda: L2(SubspaceObjective(MODEL, THETA, P), MODEL.layout, 0.1),
    ),
    "toy D": (ValueError, "D is 11: a multiple of the number of groups s = 10 is needed", lambda: ToyProblem(11)),
    "toy s": (ValueError, "s is 0: 1 ≤ s ≤ 1000 is needed", lambda: ToyProblem(s=0)),
    "toy s > D": (ValueError, "s is 8: 1 ≤ s ≤ 4 is needed", lambda: ToyProblem(4, 8)),
    "toy theta": (
        ValueError, "theta has shape (5,), but D = 20: (20,) is needed", lambda: TOY.loss_and_grad(np.zeros(5), Batch()),
    ),
    "float32 gradient check": (
        TypeError, "theta has dtype float32: a gradient check needs float64",
        lambda: gradient_check(TOY, np.zeros(20, np.float32)),
    ),
    # training
    "dtype text": (
        ValueError, "dtype is foo: float32 (to run) or float64 (to check) is needed", lambda: get_backend(dtype="foo"),
    ),
    "lr text": (TypeError, "lr is '1e-3': a number is needed", lambda: Adam(lr="1e-3")),
    "momentum none": (TypeError, "momentum is None: a number is needed", lambda: SGD(momentum=None)),
    "beta2 bool": (TypeError, "beta2 is True: a number is needed", lambda: Adam(beta2=True)),
    "lr = 0": (ValueError, "lr is 0: a positive number is needed", lambda: Adam(lr=0)),
    "lr < 0": (ValueError, "lr is -0.1: a positive number is needed", lambda: SGD(lr=-0.1)),
    "lr NaN": (ValueError, "lr is nan: a positive number is needed", lambda: SGD(lr=float("nan"))),
    "lr infinite": (ValueError, "lr is inf: a positive number is needed", lambda: Adam(float("inf"))),
    "momentum": (ValueError, "momentum is 1.0: 0 ≤ momentum < 1 is needed", lambda: SGD(momentum=1.0)),
    "beta1": (ValueError, "beta1 is 1: 0 ≤ beta1 < 1 is needed", lambda: Adam(beta1=1)),
    "beta2": (ValueError, "beta2 is -0.5: 0 ≤ beta2 < 1 is needed", lambda: Adam(beta2=-0.5)),
    "eps": (ValueError, "eps is 0: a positive number is needed", lambda: Adam(eps=0)),
    "optimizer": (
        ValueError, "unknown optimizer 'adams': choose one of sgd, adam, adamw. Did you mean 'adam'?",
        lambda: optimizer_from_spec({"kind": "adams"}),
    ),
    "optimizer by name": (
        TypeError, "optimizer is 'adam': an Adam(...) or SGD(...) is needed", lambda: TrainConfig(optimizer="adam"),
    ),
    "a batch in place of a data set": (
        TypeError, "data is a Batch: a Dataset with train and test, or None, is needed",
        lambda: train(MODEL, THETA, batch(), TrainConfig()),
    ),
    "empty batch": (
        ValueError, "the batch is empty: x (n, ...) and labels (n,) with n ≥ 1 are needed",
        lambda: MODEL.loss_and_grad(THETA, batch(X[:0], LABELS[:0])),
    ),
    "epochs": (ValueError, "epochs is 0: epochs ≥ 1 is needed", lambda: TrainConfig(epochs=0)),
    "epochs real": (TypeError, "epochs is 1.5: an integer with epochs ≥ 1 is needed", lambda: TrainConfig(epochs=1.5)),
    "batch_size": (ValueError, "batch_size is 0: batch_size ≥ 1 is needed", lambda: TrainConfig(batch_size=0)),
    "steps": (ValueError, "steps_per_epoch is 0: steps_per_epoch ≥ 1 is needed", lambda: TrainConfig(steps_per_epoch=0)),
    "train_examples": (
        ValueError, "train_examples is -1: train_examples ≥ 1 is needed", lambda: TrainConfig(train_examples=-1),
    ),
    "seed of the order": (ValueError, "seed is -2: 0 ≤ seed < 2**64 is needed", lambda: TrainConfig(seed=-2)),
    "batch larger than the data": (
        ValueError, "batch_size is 6, but the training set has 5 examples",
        lambda: train(MODEL, THETA, dataset(), TrainConfig(batch_size=6)),
    ),
    "theta of another landscape": (
        ValueError, "theta has shape (3,): (23,) is needed",
        lambda: train(MODEL, np.zeros(3), dataset(), TrainConfig(batch_size=5)),
    ),
    "a label that the model has no class for": (
        ValueError, "batch.labels run from 0 to 2, but the model's 2 classes need 0 to 1",
        lambda: train(MODEL, THETA, dataset(labels=np.array([0, 2, 0, 2, 1]), classes=3), TrainConfig(batch_size=5)),
    ),
    # checks
    "dot test of no operator": (
        TypeError, "P is 3 without shape, apply, adjoint: see `Operator`", lambda: dot_test(3),
    ),
    "matrix check of an array": (
        TypeError, "P is array([1., 1.]) without apply, adjoint: see `Operator`", lambda: adjoint_matrix_check(np.ones(2)),
    ),
    # numbers
    "seed of a stream": (ValueError, "seed is -1: 0 ≤ seed < 2**64 is needed", lambda: Stream(-1, Purpose.CHECK)),
    "range": (ValueError, "k is 9: 1 ≤ k ≤ 8 is needed", lambda: check_integer("k", 9, 1, 8)),
    # ---- what is given in the place of another thing ----
    "threads text": (
        ValueError, "threads is '2': an integer with 1 ≤ threads ≤ 4096 is needed", lambda: get_backend("numpy", threads="2"),
    ),
    "threads NaN": (
        ValueError, "threads is nan: an integer with 1 ≤ threads ≤ 4096 is needed",
        lambda: get_backend("numpy", threads=float("nan")),
    ),
    "threads bool": (
        ValueError, "threads is True: an integer with 1 ≤ threads ≤ 4096 is needed", lambda: get_backend("numpy", threads=True),
    ),
    "an array for a dtype": (
        ValueError, "dtype is [1. 2.]: float32 (to run) or float64 (to check) is needed",
        lambda: get_backend("numpy", np.array([1.0, 2.0])),
    ),
    "a class for an integer": (
        TypeError, "D is <class 'int'>: an integer with D ≥ 1 is needed", lambda: project(D=int),
    ),
    "sizes an array of no axis": (
        TypeError, "sizes is 3: a list of integers is needed", lambda: mlp(np.array(3), CPU),
    ),
    "backend of a class of P": (
        TypeError, "backend is 'numpy': a Backend is needed, e.g. get_backend('numpy')", lambda: type(P)(23, 3, 0, "numpy"),
    ),
    "backend of a data set": (
        TypeError, "backend is 'numpy': a Backend is needed, e.g. get_backend('numpy')", lambda: dataset().to("numpy"),
    ),
    "backend of a certificate": (
        TypeError, "backend is 'numpy': a Backend is needed, e.g. get_backend('numpy')",
        lambda: certify(SMALL, dataset(), backend="numpy"),
    ),
    "no backend of a certificate": (
        TypeError, "backend is 0: a Backend is needed, e.g. get_backend('numpy')",
        lambda: certify(SMALL, dataset(), backend=0),
    ),
    "delta of a certificate": (
        ValueError, "delta is 5: 0 < δ < 1 is needed", lambda: certify(SMALL, dataset(), delta=5),
    ),
    "bits of a bound": (TypeError, "ℓ is '10': a number is needed", lambda: binomial_bound(3, 100, "10")),
    "backend of the toy problem": (
        TypeError, "backend is 'numpy': a Backend is needed, e.g. get_backend('numpy')",
        lambda: explore({"kind": "dense"}, [2], 1, 0, "numpy", toy=TOY),
    ),
    "P of the toy problem": (
        TypeError, "projection is 'dense': a dictionary is needed", lambda: explore("dense", [2], 1, 0, CPU, toy=TOY),
    ),
    "P of a policy": (
        TypeError, "projection is 'dense': a dictionary is needed", lambda: policy(3, 0, projection="dense"),
    ),
    "layout of an adapter": (
        TypeError, "layout is a Model: a ParamLayout is needed, e.g. model.layout",
        lambda: make_adapter("lora", MODEL, THETA, 0, CPU, r=1),
    ),
    "gradient of an adapter": (
        ValueError, "grad_theta has shape (24,), but D = 23: (23,) is needed",
        lambda: LORA.pullback(LORA.start(), np.zeros(24)),
    ),
    "gradient of some of them": (
        ValueError, "grad_theta has shape (23, 1), but D = 23: (23,) is needed",
        lambda: BIASES.pullback(BIASES.start(), np.zeros((23, 1))),
    ),
    "out of no kind": (
        TypeError, "out is a list: a ndarray is needed, e.g. backend.xp.zeros(d, backend.dtype)",
        lambda: P.adjoint(np.zeros(23), out=[0.0] * 3),
    ),
    **{
        f"too short a θ_d for {kind}": (
            ValueError, "theta_d is float64 (2,), but P is D×d = 100×5: real numbers (5,) are needed",
            lambda kind=kind: project(kind).apply_exact(np.zeros(2)),
        )
        for kind in ("dense", "sparse", "fastfood", "onehot", "orthonormal", "coordinates")
    },
    "a class for a layer": (
        TypeError, "each of layers is the class ReLU: a Layer is needed, e.g. Linear(64, 10)",
        lambda: Model([Linear(4, 2), ReLU], (4,), CPU),
    ),
    "a layer for layers": (
        TypeError, "layers is a Linear: a list such as [Linear(64, 10)] is needed", lambda: Model(Linear(4, 2), (4,), CPU),
    ),
    "names and shapes in a dictionary": (
        TypeError, """entries is {'fc.W': (2, 3)}: pairs such as ("fc1.W", (784, 200)) are needed""",
        lambda: ParamLayout({"fc.W": (2, 3)}),
    ),
    "a function for a landscape": (
        TypeError, "landscape is a function: dim, loss_and_grad and evaluate are needed",
        lambda: SubspaceObjective(lambda theta: 0, THETA, P),
    ),
    "P for a parametrisation": (
        TypeError, "parametrisation is a FastfoodProjection: dim, D, theta and pullback are needed",
        lambda: ParametrisedObjective(MODEL, P),
    ),
    "P for an outer parametrisation": (
        TypeError, "outer is a FastfoodProjection: dim, D, theta and pullback are needed", lambda: Composed(P, P),
    ),
    "layout of L2": (
        TypeError, "layout is a Model: a ParamLayout is needed, e.g. model.layout", lambda: L2(MODEL, MODEL, 0.1),
    ),
    "an optimizer for a config": (
        TypeError, "config is a Adam: a TrainConfig is needed, e.g. TrainConfig(Adam(1e-3), epochs=10)",
        lambda: train(MODEL, THETA, dataset(), Adam()),
    ),
    "a function to train": (
        TypeError, "landscape is a function: dim, loss_and_grad and evaluate are needed",
        lambda: train(lambda theta: 0, THETA, None, TrainConfig()),
    ),
    "theta to train of texts": (
        TypeError, "theta has dtype <U32: real numbers are needed",
        lambda: train(MODEL, THETA.astype(str), dataset(), TrainConfig(batch_size=5)),
    ),
    "a pair held out": (
        TypeError, "held is a tuple: a Batch is needed, e.g. Batch(x, labels)",
        lambda: train(MODEL, THETA, dataset(), TrainConfig(batch_size=5), held=(X, LABELS)),
    ),
    "step 0": (
        ValueError, "t is 0: steps are counted from t = 1 on",
        lambda: Adam().update(THETA, THETA, Adam().start(THETA), 0),
    ),
    "a gradient that would be broadcast": (
        ValueError, "theta has shape (23,), the gradient (23, 1), the state (23,), (23,): (23,) is needed, of 2 parts of "
        "the state too",
        lambda: Adam().update(THETA, THETA[:, None], Adam().start(THETA), 1),
    ),
    "a state of other parameters": (
        ValueError, "theta has shape (23,), the gradient (23,), the state (1,): (23,) is needed, of 1 part of the state too",
        lambda: SGD().update(THETA, THETA, SGD().start(THETA[:1]), 1),
    ),
    "momentum without its state": (
        ValueError, "theta has shape (23,), the gradient (23,), the state no part: (23,) is needed, of 1 part of the state too",
        lambda: SGD().update(THETA, THETA, (), 1),
    ),
    "a batch of a number": (
        TypeError, "batch.x is 5: examples (n, ...) are needed", lambda: MODEL.loss_and_grad(THETA, Batch(5, 3)),
    ),
    "a batch of one number of NumPy's": (
        TypeError, "batch.x is array(5.): examples (n, ...) are needed", lambda: len(Batch(np.array(5.0))),
    ),
    "examples without labels": (
        ValueError, "labels is None: examples have x (n, ...) and labels (n,)", lambda: Examples(X, None),
    ),
    "no examples": (
        ValueError, "x is None: examples have x (n, ...) and labels (n,)", lambda: Examples(None, LABELS),
    ),
    "x a number": (TypeError, "made-up train: x is a int: an array is needed", lambda: dataset(5)),
    "the share in the place of the test part": (
        TypeError, "test is a float: the pair (x, y) of the test part is needed",
        lambda: Dataset.from_arrays(X, LABELS, test=0.2),
    ),
    "test examples without labels": (
        TypeError, "test is a ndarray: the pair (x, y) of the test part is needed",
        lambda: Dataset.from_arrays(X, LABELS, test=X),
    ),
    "test examples of another shape": (
        ValueError, "an example of x has shape (4,), one of test x (2, 2): they must agree",
        lambda: Dataset.from_arrays(X, LABELS, test=(X.reshape(5, 2, 2), LABELS), standardise=True),
    ),
    "test_share text": (
        TypeError, "test_share is '0.2': a number is needed", lambda: Dataset.from_arrays(X, LABELS, test_share="0.2"),
    ),
    "standardise text": (
        TypeError, "standardise is 'no': True or False is needed",
        lambda: Dataset.from_arrays(X, LABELS, standardise="no"),
    ),
    "a data set's name": (TypeError, "data is 3: a text is needed", lambda: load_dataset(3)),
    "an objective for a network": (
        TypeError, "network is a SubspaceObjective: a Model is needed, e.g. mlp([64, 10])",
        lambda: CompressedModel.from_parts(SubspaceObjective(MODEL, THETA, P), 0, P, np.zeros(3)),
    ),
    "a backend for a model": (
        TypeError, "model is a Backend: a Model is needed, e.g. mlp([64, 10])", lambda: CompressedModel.load(GOLDEN, CPU),
    ),
    "describe a file's name": (
        TypeError, "compressed is 'net.npid': a CompressedModel is needed, e.g. CompressedModel.load(path)",
        lambda: describe("net.npid"),
    ),
    "the smallest of a file's name": (
        TypeError, "compressed is 'net.npid': a CompressedModel is needed, e.g. CompressedModel.load(path)",
        lambda: smallest("net.npid", batch()),
    ),
    "symbols that are none": (
        TypeError, "symbols have dtype float64: integers are needed",
        lambda: SMALL.coded(fit("uniform", 3, [1.0, 2.0]), np.zeros(3)),
    ),
    "batch_size to fine-tune": (
        ValueError, "batch_size is 0: batch_size ≥ 1 is needed", lambda: finetune(SMALL, "uniform", 3, dataset(), batch_size=0),
    ),
    "an environment itself": (
        TypeError, "environment is 3: a text is needed", lambda: Episodes(3, mlp([2, 1], CPU)),
    ),
    "range of one number": (
        ValueError,
        "range is 10, and environment 'balance' is none of "
        f"{', '.join(RANGES)}: (least return, return that counts as solved) is needed",
        lambda: Episodes("balance", mlp([2, 1], CPU), range=10),
    ),
    "action_noise text": (
        TypeError, "action_noise is '0.1': a number is needed",
        lambda: Episodes("balance", mlp([2, 1], CPU), action_noise="0.1"),
    ),
    "d_int with a score by name": (
        TypeError, "score is 'mae': a Score is needed, e.g. Score('mean absolute error', guess=3.1, best=0)",
        lambda: d_int([1, 2], [0.1, 0.2], [0.9], score="mae"),
    ),
    "d_int of a fraction text": (
        TypeError, "fraction is '0.9': a number is needed", lambda: d_int([1, 2], [0.1, 0.2], [0.9], fraction="0.9"),
    ),
    "d_int of one run": (
        TypeError, "d is 100: one number per run, in a list, is needed", lambda: d_int(100, 0.9, [0.9]),
    ),
    "expected share of several d": (
        TypeError, "d is array([1, 2]): an integer with d ≥ 0 is needed", lambda: expected_share(np.array([1, 2])),
    ),
    "options of an objective": (
        TypeError, "options is ['k']: a dictionary is needed", lambda: objective_recipe(policy, options=["k"]),
    ),
    "a recipe to sweep": (
        TypeError, "each of specs is a Recipe: a RunSpec is needed, e.g. recipe.subspace(d=100, k=0)",
        lambda: sweep(DIGITS, "results"),
    ),
    "a function for callbacks": (
        TypeError, f"callbacks is {len!r}: a list of functions is needed", lambda: sweep([], "results", callbacks=len),
    ),
    "callbacks of a measurement": (
        TypeError, "callbacks is ['x']: a list of functions is needed",
        lambda: measure(DIGITS, "results", backend=CPU, callbacks=["x"]),
    ),
    "words of a stream": (
        TypeError, "count is 2.5: an integer with count ≥ 0 is needed", lambda: Stream(0, Purpose.CHECK).normals(2.5),
    ),
    "words before the first": (
        ValueError, "start is -1: start ≥ 0 is needed", lambda: Stream(0, Purpose.CHECK).uniform(3, start=-1),
    ),
    "a permutation of nothing": (
        ValueError, "n is 0: n ≥ 1 is needed", lambda: Stream(0, Purpose.CHECK).permutation(0),
    ),
    "integers beyond 32 bits": (
        ValueError, "m is 4294967297: 1 ≤ m ≤ 4294967296 is needed",
        lambda: Stream(0, Purpose.CHECK).integers((1 << 32) + 1, 4),
    ),
    "a check along no direction": (
        ValueError, "directions is 0: directions ≥ 1 is needed", lambda: gradient_check(MODEL, THETA, batch(), directions=0),
    ),
    "a pullback along no direction": (
        ValueError, "directions is 0: directions ≥ 1 is needed", lambda: check_pullback(Subspace(THETA, P), directions=0),
    ),
    "a gradient of a function": (
        TypeError, "landscape is a function: dim, loss_and_grad and evaluate are needed", lambda: gradient_check(lambda theta: 0, THETA),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", MESSAGES)
def test_message(case):
    error, message, act = MESSAGES[case]
    with pytest.raises(error) as raised:
        act()
    assert str(raised.value) == message
    assert type(raised.value) is error


@pytest.mark.parametrize("name", ["numpy", "numba"])
def test_a_named_backend_is_checked_before_it_is_used(name, monkeypatch):
    with pytest.raises(ValueError, match="dtype is int32"):
        get_backend(name, np.int32)


# ---- what is not installed ----


def test_numba_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "numba", None)
    message = "backend 'numba' needs the numba package: pip install 'npintdim[numba]'"
    assert missing("numba") == message
    with pytest.raises(ImportError, match=f"^{re.escape(message)}$"):
        get_backend("numba")
    assert get_backend().name == "numpy"  # only the default moves on to the next


def test_numba_is_the_default_where_it_is_installed():
    pytest.importorskip("numba", reason="numba is not installed")
    assert get_backend().name == "numba"


def test_cupy_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    message = (
        "backend 'cupy' needs CuPy: pip install 'npintdim[cuda12]' or 'npintdim[cuda13]', "
        "whichever CUDA your driver has"
    )
    with pytest.raises(ImportError, match=f"^{re.escape(message)}$"):
        get_backend("cupy")


@pytest.mark.parametrize(
    ("asked", "why"), [(lambda: False, ""), (lambda: 1 / 0, " (ZeroDivisionError: division by zero)")]
)
def test_cupy_finds_no_device(monkeypatch, asked, why):
    monkeypatch.setitem(sys.modules, "cupy", SimpleNamespace(is_available=asked))
    message = f"backend 'cupy': CuPy is installed, but it finds no CUDA device{why}"
    with pytest.raises(ImportError, match=f"^{re.escape(message)}$"):
        get_backend("cupy")


def test_an_array_of_another_device_is_refused():
    class DeviceArray:
        __cuda_array_interface__ = {}  # noqa: RUF012

    DeviceArray.__module__ = "cupy"
    message = (
        "theta_d is a cupy.DeviceArray, but backend 'numpy' computes with numpy arrays: "
        "move it there first with backend.send(...)"
    )
    with pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
        P.apply(DeviceArray())


# ---- what looks odd but is right ----


def test_inputs_that_are_accepted():
    P.apply([1, 2, 3])
    P.apply(np.array([True, False, True]))
    P.apply(np.arange(3, dtype=np.int8))
    MODEL.loss_and_grad(THETA.astype(np.float32), batch(X.astype(np.float16), LABELS.astype(np.uint8)))
    MODEL.evaluate(THETA, batch(X.reshape(5, 1, 2, 2)))  # images for an MLP
    dataset(np.zeros((5, 4), np.uint8))
    get_backend("numpy", threads=np.int64(2))
    Model([Flatten()], (2, 1, 1), CPU)
    lenet((1, 16, 16), 1, CPU)
    LORA.pullback(LORA.start().tolist(), [0.0] * 23)
    load_dataset(Path("digits"))
    for K in (np.uint8(3), np.array(3)):
        assert quantise(SMALL, "uniform", K).to_bytes() == quantise(SMALL, "uniform", 3).to_bytes()
    with blas_threads(np.int64(1)):
        assert type(Where("numpy", jobs=np.int64(2)).jobs) is int


def test_runs_need_no_list(tmp_path):
    assert sweep((spec for spec in ()), tmp_path) == []


def test_no_rank_for_so_many_numbers_is_said_at_once():
    with pytest.raises(
        ValueError, match=r"d is 1099511627776, but no rank of lora trains so many numbers here: d = "
    ):
        rank_of(LoRA, MODEL.layout, 1 << 40)


@pytest.mark.parametrize("name", ["numpy", "numba"])
@pytest.mark.parametrize("fuse", [True, False])
def test_nan_in_the_examples_is_nan_in_the_loss(name, fuse):
    """So that training ends as diverged; no step may hide it, for a ReLU that writes max(x, 0) could."""
    if missing(name):
        pytest.skip(missing(name))
    backend = get_backend(name, threads=1)
    for net in (mlp([4, 3, 2], backend), lenet(backend=backend)):
        model = Model(net.layers, net.in_shape, backend, fuse=fuse)
        x = np.ones((3, *model.in_shape), np.float32)
        x[1].reshape(-1)[2] = np.nan
        loss, _ = model.loss_and_grad(model.init_theta(0), Batch(x, np.array([0, 1, 1])))
        assert np.isnan(loss)


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 runs"), (1, "1 run"), (2, "2 runs"), (1000, "1,000 runs")]
)
def test_one_is_not_many(count, text):
    assert counted(count, "run") == text


def test_nothing_that_is_said_has_one_of_many(tmp_path, capsys):
    argv = [
        "measure", "--model", "64-12-10", "--d", "20", "--seeds", "1", "--epochs", "1", "--backend", "numpy",
    ]  # fmt: skip
    assert main([*argv, "--jobs", "1", "--out", str(tmp_path)]) == 0
    said = capsys.readouterr().out + (tmp_path / "report.md").read_text()
    assert re.findall(r"\b1 (?:\w+ )?(?:runs|epochs)\b.*", said) == []
    assert "1 epoch" in said
