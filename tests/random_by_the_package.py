"""The calls of `random_from_the_page.py`, answered by npintdim."""

import math

import numpy as np

import npintdim as nid
from npintdim.engine.initializers import HeNormal
from npintdim.kernels import reference
from npintdim.kernels.reference.normals import log as log_of_arrays
from npintdim.kernels.reference.words import philox4x32


def numpy_backend(dtype):
    return nid.get_backend("numpy", dtype=np.dtype(dtype))


def projection(kind, D, d, seed, dtype="float64", **options):
    return nid.make_projection(kind, D=D, d=d, seed=seed, backend=numpy_backend(dtype), **options)


def philox(*words):
    return philox4x32(np.array(words[:4])[:, None], words[4:])[:, 0]


def words(seed, purpose, lane, start, count):
    return nid.Stream(seed, purpose, lane).words(count, start)


def signs(seed, purpose, lane, count):
    return nid.Stream(seed, purpose, lane).signs(count)


def permutation(seed, purpose, lane, n, row=0):
    return nid.Stream(seed, purpose, lane).permutations(row + 1, n)[row]


def integers(seed, purpose, lane, m, count):
    return nid.Stream(seed, purpose, lane).integers(m, count)


def uniform(seed, purpose, lane, count):
    return nid.Stream(seed, purpose, lane).uniform(count)


def log(x):
    return log_of_arrays(np.array([x]))[0]


def normal(word):
    return reference.normals(np.array([word], dtype=np.uint32))[0]


def truncated_normal(word):
    return reference.truncated_normals(np.array([word], dtype=np.uint32))[0]


def theta_0(seed, lane, fan_in, count, dtype="float64"):
    stream = nid.Stream(seed, nid.Purpose.THETA_0, lane)
    return HeNormal(fan_in).draw(numpy_backend(dtype), stream, count).astype(dtype)


def dense_column(seed, D, j, entries="gaussian", dtype="float64"):
    return projection("dense", D, j + 1, seed, dtype, entries=entries).to_dense()[:, j]


def sparse_rows(seed, D, j, density=None):
    return reference.sparse.sparse_column(seed, j, D, density or 1 / math.sqrt(D))


def sparse_column(seed, D, j, density=None, dtype="float64"):
    return projection("sparse", D, j + 1, seed, dtype, density=density).to_dense()[:, j]


def fastfood_G(seed, D, d, blocks="stacked", dtype="float64"):
    return projection("fastfood", D, d, seed, dtype, blocks=blocks).G.reshape(-1)


def fastfood_apply(v, seed, D, blocks="stacked", signed=True, dtype="float64"):
    P = projection("fastfood", D, len(v), seed, dtype, blocks=blocks, signs=signed)
    return P.apply(np.array(v, dtype=dtype))


def fastfood_column(seed, D, d, j, blocks="stacked", signed=True, dtype="float64"):
    return projection("fastfood", D, d, seed, dtype, blocks=blocks, signs=signed).to_dense()[:, j]


def fingerprint(kind, D, d, seed, **options):
    return projection(kind, D, d, seed, **options).fingerprint()
