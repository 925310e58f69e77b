"""Layers: one a file, forward and backward on one screen."""

from npintdim.layers.base import Layer, ParameterFree
from npintdim.layers.conv2d import Conv2D
from npintdim.layers.flatten import Flatten
from npintdim.layers.linear import Linear
from npintdim.layers.locally_connected2d import LocallyConnected2D
from npintdim.layers.max_pool2d import MaxPool2D
from npintdim.layers.relu import ReLU
from npintdim.layers.unflatten import Unflatten

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
