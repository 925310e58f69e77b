"""Losses: one a file, forward and gradient on one screen."""

from npintdim.engine.losses.base import Loss
from npintdim.engine.losses.cross_entropy import CrossEntropy
from npintdim.engine.losses.mse import MSE
from npintdim.specs import table

LOSSES = table("loss", Loss, "__name__", CrossEntropy, MSE)

__all__ = ["LOSSES", "MSE", "CrossEntropy", "Loss"]
