"""Compiled runs of layers, computed in one go (`npintdim.engine.fuse`); their layers define them, they have no twin.

`linear_run`      Linear with ReLU or without
`conv_pool`       a convolution with its pooling, for 16 examples at a time
`conv_pool_run`   several of them, block by block
"""
