"""Layers, a file for each family: forward and backward on one screen."""

from npintdim.engine.layers.base import Elementwise, Layer, Noisy, ParameterFree
from npintdim.engine.layers.convolutions import Conv2D, Fire, LocallyConnected2D
from npintdim.engine.layers.elementwise import GELU, Dropout, ReLU, Sigmoid, Tanh
from npintdim.engine.layers.linear import Linear
from npintdim.engine.layers.norms import ChannelNorm, LayerNorm, Standardise
from npintdim.engine.layers.pooling import AveragePool2D, GlobalAveragePool, MaxPool2D
from npintdim.engine.layers.reshape import Flatten, Unflatten
from npintdim.specs import kinds

LAYERS: dict[str, type[Layer]] = kinds(
    "layer", Layer, "__name__",
    AveragePool2D, ChannelNorm, Conv2D, Dropout, Fire, Flatten, GELU, GlobalAveragePool, LayerNorm, Linear,
    LocallyConnected2D, MaxPool2D, ReLU, Sigmoid, Standardise, Tanh, Unflatten,
)  # fmt: skip

__all__ = [
    "GELU", "LAYERS", "AveragePool2D", "ChannelNorm", "Conv2D", "Dropout", "Elementwise", "Fire", "Flatten",
    "GlobalAveragePool", "Layer", "LayerNorm", "Linear", "LocallyConnected2D", "MaxPool2D", "Noisy",
    "ParameterFree", "ReLU", "Sigmoid", "Standardise", "Tanh", "Unflatten",
]  # fmt: skip
