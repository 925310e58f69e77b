"""The plain NumPy text of every hot loop. It is the definition, and it is what backend "numpy" runs."""

from npintdim.kernels.reference.conv import conv2d_backward, conv2d_forward
from npintdim.kernels.reference.dense import (
    gaussian_adjoint,
    gaussian_apply,
    rademacher_adjoint,
    rademacher_apply,
)
from npintdim.kernels.reference.fastfood import (
    FASTFOOD_PARTS,
    fastfood_adjoint,
    fastfood_apply,
    fastfood_normals,
)
from npintdim.kernels.reference.normals import drawn_square_sum, normals, square_sum, truncated_normals
from npintdim.kernels.reference.pool import max_pool_backward, max_pool_forward
from npintdim.kernels.reference.sparse import sparse_adjoint, sparse_apply, sparse_columns
from npintdim.kernels.reference.stored import stored_adjoint, stored_apply
from npintdim.kernels.reference.wht import wht
from npintdim.kernels.reference.words import permutations, signs, words
