"""The paper's toy problem, and what is left of its loss in random subspaces."""

from npintdim.toy.problem import ToyProblem, expected_share

__all__ = ["ToyProblem", "expected_share"]
