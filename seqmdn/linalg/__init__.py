r"""The algebra of a precision matrix :math:`\Lambda = \mathrm{diag}(d) + U U^\top` in O(D R + R^3).

Every function takes `diagonal` d (*batch, D), positive, and `factor` U (*batch, D, R); batch shapes
broadcast. Only the two functions that return a D x D matrix form one. R = 0 takes its own path,
which costs what a diagonal matrix costs. All of it runs in float32 or better, under autocast too.
"""

from seqmdn.linalg.arithmetic import doubled, full_precision, widen
from seqmdn.linalg.capacitance import (
    UNROLLED_RANK,
    capacitance_cholesky,
    capacitance_solve,
    solve_lower,
)
from seqmdn.linalg.lowrank import (
    colour,
    covariance_diagonal,
    covariance_matrix,
    log_determinant,
    precision_matrix,
    project,
    quadratic_form,
    solve,
    solve_factor,
)
from seqmdn.linalg.triangular import solve_triangular

__all__ = [
    "UNROLLED_RANK",
    "capacitance_cholesky",
    "capacitance_solve",
    "colour",
    "covariance_diagonal",
    "covariance_matrix",
    "doubled",
    "full_precision",
    "log_determinant",
    "precision_matrix",
    "project",
    "quadratic_form",
    "solve",
    "solve_factor",
    "solve_lower",
    "solve_triangular",
    "widen",
]
