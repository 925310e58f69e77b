"""The same hot loops for CuPy arrays: same files, names and signatures as `reference`, which defines them.

Nothing is compiled, and no device is touched, before the first call.
"""

from npintdim.kernels.cuda.conv import conv2d_backward, conv2d_forward
from npintdim.kernels.cuda.dense import gaussian_adjoint, gaussian_apply, rademacher_adjoint, rademacher_apply
from npintdim.kernels.cuda.fastfood import FASTFOOD_PARTS, fastfood_adjoint, fastfood_apply, fastfood_normals
from npintdim.kernels.cuda.normals import drawn_square_sum, normals, square_sum, truncated_normals
from npintdim.kernels.cuda.pool import max_pool_backward, max_pool_forward
from npintdim.kernels.cuda.sparse import sparse_adjoint, sparse_apply, sparse_columns
from npintdim.kernels.cuda.stored import stored_adjoint, stored_apply
from npintdim.kernels.cuda.wht import wht
from npintdim.kernels.cuda.words import permutations, signs, words
