"""Compiled runs of layers, computed in one go (`npintdim.engine.fuse`); their layers define them: no twin.

`linear_run`   Linear with ReLU or without
`conv_pool`    convolutions with their pooling, for 16 examples at a time, block by block
"""
