"""Check somebody's implementation, in any library, against this package's test vectors.

    from npintdim.testing import conformance

    @conformance("fastfood", level="given", expected_failures={"NonPow2": "we require powers of two"})
    def test_fastfood(case):
        case.check(lambda v, p: my_fastfood(v, *p.arrays, p.D))

NumPy is all that this package needs. `docs/vectors.md` has the table of what each family's callable receives.
"""

from npintdim.testing.arrays import to_numpy
from npintdim.testing.cases import FAMILIES, Case, Inputs, cases
from npintdim.testing.conformance import conformance

__all__ = ["FAMILIES", "Case", "Inputs", "cases", "conformance", "to_numpy"]
