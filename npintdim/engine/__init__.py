"""The engine: networks over one flat θ with their gradients by hand, and the loop that trains any landscape.

Read `landscape` (what can be optimised, and its data), `params` (names in a flat θ), `initializers`,
`losses`, `score`, `layers/`, `model` (the chain), `fuse` (runs of layers in one go), `architectures` (the
paper's networks), `optimizers`, `train`, and `progress` (the bar).
"""
