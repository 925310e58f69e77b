"""Layers: one a file, forward and backward on one screen."""

from npintdim.engine.layers.base import Layer, ParameterFree
from npintdim.engine.layers.conv2d import Conv2D
from npintdim.engine.layers.flatten import Flatten
from npintdim.engine.layers.linear import Linear
from npintdim.engine.layers.locally_connected2d import LocallyConnected2D
from npintdim.engine.layers.max_pool2d import MaxPool2D
from npintdim.engine.layers.relu import ReLU
from npintdim.engine.layers.unflatten import Unflatten

__all__ = [
    "Conv2D",
    "Flatten",
    "Layer",
    "Linear",
    "LocallyConnected2D",
    "MaxPool2D",
    "ParameterFree",
    "ReLU",
    "Unflatten",
]
