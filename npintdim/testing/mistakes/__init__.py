"""The usual mistakes, written out: one family a file, a right computation in steps and what people do instead."""

from npintdim.testing.mistakes import (
    dense,
    fastfood,
    fastfood_adjoint,
    fastfood_seeded,
    linear,
    maps,
    mlp,
    philox,
    projection,
    sparse,
    sparse_seeded,
    subspace,
    trajectory,
    wht,
)
from npintdim.testing.mistakes.table import Mistake, Problem, Steps, Table

TABLES: dict[tuple[str, str, str], Table] = {  # family, level, task
    ("philox", "seeded", "words"): philox.TABLE,
    ("maps", "given", "signs"): maps.SIGNS,
    ("maps", "given", "permutation"): maps.PERMUTATION,
    ("maps", "given", "integers"): maps.INTEGERS,
    ("maps", "given", "uniform"): maps.UNIFORM,
    ("maps", "given", "normals"): maps.NORMALS,
    ("maps", "given", "truncated_normals"): maps.TRUNCATED_NORMALS,
    ("wht", "given", "transform"): wht.TABLE,
    ("fastfood", "given", "apply"): fastfood.TABLE,
    ("fastfood", "given", "adjoint"): fastfood_adjoint.TABLE,
    ("fastfood", "seeded", "apply"): fastfood_seeded.TABLE,
    ("fastfood", "seeded", "adjoint"): fastfood_seeded.ADJOINT,
    ("projection", "given", "apply"): projection.TABLE,
    ("dense", "given", "apply"): dense.TABLE,
    ("dense", "given", "adjoint"): dense.ADJOINT,
    ("dense", "seeded", "apply"): dense.SEEDED,
    ("dense", "seeded", "adjoint"): dense.SEEDED_ADJOINT,
    ("sparse", "given", "apply"): sparse.TABLE,
    ("sparse", "given", "adjoint"): sparse.ADJOINT,
    ("sparse", "seeded", "apply"): sparse_seeded.TABLE,
    ("sparse", "seeded", "adjoint"): sparse_seeded.ADJOINT,
    ("subspace_gradient", "given", "loss_grad"): subspace.TABLE,
    ("linear", "given", "backward"): linear.TABLE,
    ("mlp_loss_grad", "given", "loss_grad"): mlp.TABLE,
    ("trajectory", "given", "sgd"): trajectory.SGD,
    ("trajectory", "given", "adam"): trajectory.ADAM,
}

__all__ = ["TABLES", "Mistake", "Problem", "Steps", "Table"]
