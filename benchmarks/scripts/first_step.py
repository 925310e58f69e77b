"""Network, P, and one step in the subspace, in a fresh process."""

import sys

import numpy as np

import npintdim as nid

backend = nid.get_backend("numba", threads=int(sys.argv[1]))
net = nid.mlp([784, 200, 200, 10], backend)
P = nid.make_projection("fastfood", net.D, 750, 0, backend)
objective = nid.SubspaceObjective(net, net.init_theta(0), P)
batch = nid.Batch(np.ones((128, 784), np.float32), np.arange(128) % 10)
print(objective.loss_and_grad(objective.start(), batch)[0])
