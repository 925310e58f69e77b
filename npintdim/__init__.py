"""npintdim: the intrinsic dimension of objective landscapes, from scratch on NumPy.

θ = θ_0 + P θ_d, and only θ_d is trained (Li, Farkhoor, Liu and Yosinski, 2018).
"""

import importlib
from typing import TYPE_CHECKING, Any

from npintdim import signals as signals  # the first, see there
from npintdim._version import __version__
from npintdim.adapters import Adapter, make_adapter
from npintdim.artefact.compress import CompressedModel
from npintdim.backend import Backend, get_backend
from npintdim.data import load_dataset
from npintdim.engine.architectures import (
    fc_lenet,
    fctied_lenet,
    lenet,
    mlp,
    model_from_spec,
    squeezenet,
    untied_lenet,
)
from npintdim.engine.initializers import HeNormal, Initializer, Zeros
from npintdim.engine.landscape import Batch, Dataset, Evaluation, Examples, Landscape
from npintdim.engine.layers import (
    GELU,
    AveragePool2D,
    ChannelNorm,
    Conv2D,
    Dropout,
    Fire,
    Flatten,
    GlobalAveragePool,
    Layer,
    LayerNorm,
    Linear,
    LocallyConnected2D,
    MaxPool2D,
    ParameterFree,
    ReLU,
    Sigmoid,
    Standardise,
    Tanh,
    Unflatten,
)
from npintdim.engine.losses import MSE, CrossEntropy, Loss
from npintdim.engine.model import Model
from npintdim.engine.optimizers import SGD, Adam, AdamW, Optimizer
from npintdim.engine.params import ParamLayout
from npintdim.engine.score import Score
from npintdim.engine.train import Record, Run, TrainConfig, train
from npintdim.es import Episodes, EvolutionStrategy
from npintdim.measurement.estimate import DInt, d_int
from npintdim.measurement.measure import Measurement, measure
from npintdim.measurement.recipes import RateSearch, Recipe, objective_recipe, recipe_for
from npintdim.measurement.report import read_measurement as load_measurement
from npintdim.measurement.runs import RunSpec
from npintdim.measurement.sweep import sweep
from npintdim.objective import (
    L2,
    Composed,
    Parametrisation,
    ParametrisedObjective,
    Subspace,
    SubspaceObjective,
)
from npintdim.projections import Projection, SeededProjection, make_projection, projection_from_spec
from npintdim.rng import Purpose, Stream
from npintdim.specs import register
from npintdim.toy.problem import ToyProblem, expected_share

__all__ = [
    "GELU",
    "L2",
    "MSE",
    "SGD",
    "Adam",
    "AdamW",
    "Adapter",
    "AveragePool2D",
    "Backend",
    "Batch",
    "ChannelNorm",
    "CheckError",
    "Composed",
    "CompressedModel",
    "Conv2D",
    "CrossEntropy",
    "DInt",
    "Dataset",
    "Dropout",
    "Episodes",
    "Evaluation",
    "EvolutionStrategy",
    "Examples",
    "Fire",
    "Flatten",
    "GlobalAveragePool",
    "HeNormal",
    "Initializer",
    "Landscape",
    "Layer",
    "LayerNorm",
    "Linear",
    "LocallyConnected2D",
    "Loss",
    "MaxPool2D",
    "Measurement",
    "Model",
    "Optimizer",
    "ParamLayout",
    "ParameterFree",
    "Parametrisation",
    "ParametrisedObjective",
    "Projection",
    "Purpose",
    "RateSearch",
    "ReLU",
    "Recipe",
    "Record",
    "Run",
    "RunSpec",
    "Score",
    "SeededProjection",
    "Sigmoid",
    "Standardise",
    "Stream",
    "Subspace",
    "SubspaceObjective",
    "Tanh",
    "ToyProblem",
    "TrainConfig",
    "Unflatten",
    "Zeros",
    "__version__",
    "adjoint_matrix_check",
    "check_pullback",
    "d_int",
    "dot_test",
    "expected_share",
    "fc_lenet",
    "fctied_lenet",
    "get_backend",
    "gradient_check",
    "lenet",
    "load_dataset",
    "load_measurement",
    "make_adapter",
    "make_projection",
    "measure",
    "mlp",
    "model_from_spec",
    "objective_recipe",
    "projection_from_spec",
    "recipe_for",
    "register",
    "squeezenet",
    "sweep",
    "train",
    "untied_lenet",
]

if TYPE_CHECKING:
    from npintdim import plots as plots
    from npintdim import testing as testing
    from npintdim.testing.arrays import CheckError
    from npintdim.testing.checks import adjoint_matrix_check, dot_test
    from npintdim.testing.gradient import check_pullback, gradient_check
else:
    CHECKS = {
        "CheckError": "arrays", "adjoint_matrix_check": "checks", "dot_test": "checks",
        "check_pullback": "gradient", "gradient_check": "gradient",
    }  # fmt: skip

    def __getattr__(name: str) -> Any:
        """`nid.plots`, `nid.testing` and the checks are imported when first asked for: few need them."""
        if name in ("plots", "testing"):
            return importlib.import_module(f"npintdim.{name}")
        if name in CHECKS:
            return getattr(importlib.import_module(f"npintdim.testing.{CHECKS[name]}"), name)
        raise AttributeError(f"module 'npintdim' has no attribute {name!r}")
