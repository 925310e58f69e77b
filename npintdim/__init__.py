"""npintdim: the intrinsic dimension of objective landscapes, from scratch on NumPy.

θ = θ_0 + P θ_d, and only θ_d is trained (Li, Farkhoor, Liu and Yosinski, 2018).
"""

from npintdim import signals as signals  # the first, see there
from npintdim._version import __version__
from npintdim.architectures import fc_lenet, fctied_lenet, lenet, mlp, model_from_spec, untied_lenet
from npintdim.backend import Backend, get_backend
from npintdim.checks import CheckError, adjoint_matrix_check, dot_test, gradient_check
from npintdim.compress import CompressedModel
from npintdim.data import load_dataset
from npintdim.estimation.estimate import DInt, d_int
from npintdim.initializers import HeNormal, Initializer, Zeros
from npintdim.landscape import Batch, Dataset, Evaluation, Landscape
from npintdim.layers import (
    Conv2D,
    Flatten,
    Layer,
    Linear,
    LocallyConnected2D,
    MaxPool2D,
    ParameterFree,
    ReLU,
    Unflatten,
)
from npintdim.measuring.measure import Measurement, measure
from npintdim.measuring.rates import RateSearch
from npintdim.measuring.recipes import Recipe, objective_recipe, recipe_for
from npintdim.model import Model
from npintdim.objective import L2, SubspaceObjective
from npintdim.optimizers import SGD, Adam, Optimizer
from npintdim.params import ParamLayout
from npintdim.projections import Projection, make_projection, projection_from_spec
from npintdim.rng import Purpose, Stream
from npintdim.sweeps.runs import RunSpec
from npintdim.sweeps.sweep import sweep
from npintdim.toy import ToyProblem, expected_share
from npintdim.train import Record, Run, TrainConfig, train

__all__ = [
    "L2",
    "SGD",
    "Adam",
    "Backend",
    "Batch",
    "CheckError",
    "CompressedModel",
    "Conv2D",
    "DInt",
    "Dataset",
    "Evaluation",
    "Flatten",
    "HeNormal",
    "Initializer",
    "Landscape",
    "Layer",
    "Linear",
    "LocallyConnected2D",
    "MaxPool2D",
    "Measurement",
    "Model",
    "Optimizer",
    "ParamLayout",
    "ParameterFree",
    "Projection",
    "Purpose",
    "RateSearch",
    "ReLU",
    "Recipe",
    "Record",
    "Run",
    "RunSpec",
    "Stream",
    "SubspaceObjective",
    "ToyProblem",
    "TrainConfig",
    "Unflatten",
    "Zeros",
    "__version__",
    "adjoint_matrix_check",
    "d_int",
    "dot_test",
    "expected_share",
    "fc_lenet",
    "fctied_lenet",
    "get_backend",
    "gradient_check",
    "lenet",
    "load_dataset",
    "make_projection",
    "measure",
    "mlp",
    "model_from_spec",
    "objective_recipe",
    "projection_from_spec",
    "recipe_for",
    "sweep",
    "train",
    "untied_lenet",
]
