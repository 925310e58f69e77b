"""The chain rule of the subspace, by hand: theta = theta_0 + P theta_d, so dL/dtheta_d = Pᵀ dL/dtheta.

That one line is all that training in a subspace adds to backpropagation. Here the package's gradient is
compared, in float64 and for every kind of P, with three things that know nothing of each other:

    1. the matrix     to_dense().T @ grad_theta, with P written out;
    2. the definition, entry by entry: (L(theta_d + h e_j) − L(theta_d − h e_j)) / 2h;
    3. the adjoint    ⟨P v, g⟩ = ⟨v, Pᵀ g⟩, which says that `adjoint` is the transpose of `apply`.

Run `python examples/03_chain_rule_by_hand.py` (a second).
"""

import numpy as np

import npintdim as nid


def central_differences(objective, theta_d, batch, h=1e-5):
    """dL/dtheta_d[j] for every j."""
    grad = np.empty_like(theta_d)
    for j, e_j in enumerate(np.eye(len(theta_d))):
        loss_above, _ = objective.loss_and_grad(theta_d + h * e_j, batch)
        loss_below, _ = objective.loss_and_grad(theta_d - h * e_j, batch)
        grad[j] = (loss_above - loss_below) / (2 * h)
    return grad


def relative_error(a, b):
    return np.linalg.norm(a - b) / np.linalg.norm(b)


def main():
    backend = nid.get_backend("numpy", dtype=np.float64)
    model = nid.mlp([20, 15, 4], backend=backend)
    rng = np.random.default_rng(0)
    batch = nid.Batch(rng.standard_normal((50, 20)), rng.integers(0, 4, 50))
    theta_0, theta_d = model.init_theta(seed=0), 0.1 * rng.standard_normal(8)
    print(
        f"a network with D = {model.D}, in a subspace of d = {len(theta_d)}; relative errors of the gradient"
    )
    worst = 0.0
    for kind in ("dense", "sparse", "fastfood"):
        P = nid.make_projection(kind, D=model.D, d=len(theta_d), seed=1, backend=backend)
        objective = nid.SubspaceObjective(model, theta_0, P)
        _, grad = objective.loss_and_grad(theta_d, batch)

        theta = theta_0 + P.to_dense() @ theta_d
        _, grad_theta = model.loss_and_grad(theta, batch)
        by_matrix = relative_error(grad, P.to_dense().T @ grad_theta)
        by_definition = relative_error(grad, central_differences(objective, theta_d, batch))
        by_adjoint = nid.dot_test(P).error
        print(
            f"  {kind:9s} matrix {by_matrix:.0e}   differences {by_definition:.0e}   adjoint {by_adjoint:.0e}"
        )
        worst = max(worst, by_matrix, by_definition, by_adjoint)
    print(f"largest error {worst:.0e}:", "the chain rule holds" if worst < 1e-8 else "something is wrong")


if __name__ == "__main__":
    main()
