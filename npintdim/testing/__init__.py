"""Check somebody's implementation, in any library, against this package.

    from npintdim.testing import check_adjoint, conformance, explain

    @conformance("fastfood", level="given", expected_failures={"NonPow2": "we require powers of two"})
    def test_fastfood(case):
        case.check(lambda v, p: my_fastfood(v, *p.arrays, p.D))

    # what is wrong with the same callable
    print(explain("fastfood", lambda v, p: my_fastfood(v, *p.arrays, p.D)))

NumPy is all that this package needs. `docs/vectors.md` has the table of what each family's callable receives,
`docs/check-your-code.md` shows PyTorch, JAX and CUDA.
"""

from npintdim.testing.arrays import CheckError, to_numpy
from npintdim.testing.cases import FAMILIES, Case, Inputs, cases
from npintdim.testing.checks import check_adjoint, check_linear, check_unit_columns
from npintdim.testing.conformance import conformance
from npintdim.testing.explain import Explanation, explain
from npintdim.testing.gradient import check_gradient, check_pullback
from npintdim.testing.in_place import InPlace
from npintdim.testing.isotropy import check_isotropy
from npintdim.testing.mistakes import register_mistake
from npintdim.testing.state_dict import from_state_dict, to_state_dict
from npintdim.testing.torch_landscape import torch_landscape

__all__ = [
    "FAMILIES",
    "Case",
    "CheckError",
    "Explanation",
    "InPlace",
    "Inputs",
    "cases",
    "check_adjoint",
    "check_gradient",
    "check_isotropy",
    "check_linear",
    "check_pullback",
    "check_unit_columns",
    "conformance",
    "explain",
    "from_state_dict",
    "register_mistake",
    "to_numpy",
    "to_state_dict",
    "torch_landscape",
]
