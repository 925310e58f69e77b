"""The hot loops compiled by Numba: same files, names and signatures as `reference`, which defines them."""

from npintdim.kernels.numba_cpu.conv import conv2d_backward, conv2d_forward
from npintdim.kernels.numba_cpu.dense import (
    gaussian_adjoint,
    gaussian_apply,
    rademacher_adjoint,
    rademacher_apply,
)
from npintdim.kernels.numba_cpu.fastfood import (
    FASTFOOD_PARTS,
    fastfood_adjoint,
    fastfood_apply,
    fastfood_normals,
)
from npintdim.kernels.numba_cpu.normals import drawn_square_sum, normals, square_sum, truncated_normals
from npintdim.kernels.numba_cpu.pool import max_pool_backward, max_pool_forward
from npintdim.kernels.numba_cpu.sparse import sparse_adjoint, sparse_apply, sparse_columns
from npintdim.kernels.numba_cpu.stored import stored_adjoint, stored_apply
from npintdim.kernels.numba_cpu.wht import wht
from npintdim.kernels.numba_cpu.words import permutations, signs, words
