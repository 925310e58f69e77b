"""Layers: one a file, forward and backward on one screen."""

from npintdim.engine.layers.average_pool2d import AveragePool2D
from npintdim.engine.layers.base import Elementwise, Layer, Noisy, ParameterFree
from npintdim.engine.layers.channel_norm import ChannelNorm
from npintdim.engine.layers.conv2d import Conv2D
from npintdim.engine.layers.dropout import Dropout
from npintdim.engine.layers.fire import Fire
from npintdim.engine.layers.flatten import Flatten
from npintdim.engine.layers.gelu import GELU
from npintdim.engine.layers.global_average_pool import GlobalAveragePool
from npintdim.engine.layers.layer_norm import LayerNorm
from npintdim.engine.layers.linear import Linear
from npintdim.engine.layers.locally_connected2d import LocallyConnected2D
from npintdim.engine.layers.max_pool2d import MaxPool2D
from npintdim.engine.layers.relu import ReLU
from npintdim.engine.layers.sigmoid import Sigmoid
from npintdim.engine.layers.standardise import Standardise
from npintdim.engine.layers.tanh import Tanh
from npintdim.engine.layers.unflatten import Unflatten

__all__ = [
    "GELU",
    "AveragePool2D",
    "ChannelNorm",
    "Conv2D",
    "Dropout",
    "Elementwise",
    "Fire",
    "Flatten",
    "GlobalAveragePool",
    "Layer",
    "LayerNorm",
    "Linear",
    "LocallyConnected2D",
    "MaxPool2D",
    "Noisy",
    "ParameterFree",
    "ReLU",
    "Sigmoid",
    "Standardise",
    "Tanh",
    "Unflatten",
]
