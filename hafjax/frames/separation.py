# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""From class distances to the cosines that a frame should have.

With E = f(D / max D) for a decreasing f, f(0) = 1, cosines are
(1 - s) E + s 1 1^T, and s is chosen as small as they stay positive
semi-definite (maximal separation). HAFrame, arXiv 2303.05689, searches 100
values of s; here it is exact: s = -1 / (q - 1) with q = 1^T E^-1 1, by one
linear solve for any distances, and in linear time for a tree.
"""

from jaxtyping import Float
import numpy as np

from hafjax.frames.distances import Distances
from hafjax.frames.distances import FrameError
from hafjax.frames.distances import Matrix
from hafjax.frames.distances import broken_triangle
from hafjax.frames.distances import check_distances
from hafjax.frames.distances import resolved
from hafjax.frames.distances import triangle_words
from hafjax.frames.kernels import Mapping
from hafjax.frames.kernels import TreeKernel
from hafjax.frames.kernels import dense_kernel
from hafjax.frames.kernels import tree_kernel
from hafjax.hierarchy import Hierarchy
from hafjax.numerics.numbers import is_number

# Eigenvalues below this part of the largest are rounding errors of zero.
RANK_TOLERANCE = 1e-10


# q - 1 below which all classes are one class to float64.
_LEAST_EXCESS = 1e-7


# The published search takes eigenvalues of smaller magnitude as zero.
_GRID_TOLERANCE = 1e-6


def _mix(kernel: np.ndarray, s: float) -> np.ndarray:
  """S(s) = (1 - s) E + s 1 1^T, with an exact unit diagonal."""
  similarities = (1 - s) * kernel + s
  np.fill_diagonal(similarities, 1.0)
  return similarities


def _least_feasible(inverse: float, excess: float) -> float:
  """s* = -1 / (q - 1) from 1 / q and 1 - 1 / q."""
  if excess < _LEAST_EXCESS * inverse:
    # s would be -1e7 or beyond, and (1 - s) E + s would be rounding errors.
    raise FrameError(
      'The similarities of all classes are 1 up to rounding: raise gamma.'
    )
  return float(-inverse / excess)


def tree_separation(kernel: TreeKernel) -> float:
  """The least s for which S(s) is positive semi-definite, on a tree."""
  return _least_feasible(kernel.inverse_sums[0], kernel.excess)


def _is_definite(kernel: np.ndarray) -> bool:
  """With room to spare; a tenth of an eigendecomposition's time."""
  margin = RANK_TOLERANCE * np.trace(kernel)
  try:
    np.linalg.cholesky(kernel - margin * np.eye(len(kernel)))
  except np.linalg.LinAlgError:
    return False
  return True


def _dense_separation(kernel: np.ndarray) -> float:
  """The least s for which S(s) is positive semi-definite, -1 / (q - 1).

  q = 1^T E^+ 1. Where E is singular and 1 is not in its range, any s < 0 has a
  negative direction, and the answer is 0.

  Raises:
    LinAlgError: if E has a negative eigenvalue.
  """
  if _is_definite(kernel):
    q = float(np.linalg.solve(kernel, np.ones(len(kernel))).sum())
    return _least_feasible(1 / q, 1 - 1 / q)
  values, vectors = np.linalg.eigh(kernel)
  if values[0] < -RANK_TOLERANCE * values[-1]:
    raise np.linalg.LinAlgError(f'smallest eigenvalue {values[0]:.3g}')
  parts = vectors.sum(axis=0)
  null = values <= RANK_TOLERANCE * values[-1]
  if (parts[null] ** 2).sum() > RANK_TOLERANCE * len(kernel):
    return 0.0
  q = float((parts[~null] ** 2 / values[~null]).sum())
  return _least_feasible(1 / q, 1 - 1 / q)


def _grid_separation(kernel: np.ndarray, num_samples: int) -> float:
  """The published search: the least feasible of equally spaced values.

  Raises:
    LinAlgError: if E has a negative eigenvalue.
  """
  grid = np.linspace(-1 / (len(kernel) - 1), -1, num_samples)
  feasible = []
  for s in grid:
    values = np.linalg.eigvalsh(_mix(kernel, s))
    if values[np.abs(values) >= _GRID_TOLERANCE].min() >= 0:
      feasible.append(s)
  if not feasible:
    least = np.linalg.eigvalsh(kernel)[0]
    if least < -RANK_TOLERANCE * len(kernel):
      raise np.linalg.LinAlgError(f'smallest eigenvalue {least:.3g}')
    raise FrameError(
      f'None of the {num_samples} values of the grid search gives a positive '
      "semi-definite similarity; use separation='exact', which tells why."
    )
  return float(min(feasible))


def _indefinite(
  distances: Hierarchy | Matrix, gamma: float, mapping: Mapping, least: str
) -> FrameError:
  matrix = check_distances(distances)
  broken = broken_triangle(matrix)
  if broken:
    cause = triangle_words(matrix, broken)
  else:
    cause = 'they are not an ultrametric'
  advice = "use mapping='exponential' and a large gamma"
  if mapping == 'exponential':
    enough = _definite_gamma(matrix / matrix.max(), float(gamma))
    if enough is not None:
      advice = f'raise gamma: gamma={enough:g} works'
    else:
      i, j = np.argwhere((matrix == 0) & ~np.eye(len(matrix), dtype=bool))[0]
      advice = (
        f'no gamma works: classes {i} and {j} have no distance from each '
        'other, but others from the rest'
      )
  return FrameError(
    f'The similarity of these distances is indefinite ({least}): {cause}; '
    f'{advice}.'
  )


def _definite_gamma(scaled: np.ndarray, gamma: float) -> float | None:
  """A rate above `gamma` at which exp(-gamma D) is definite, near the least."""
  low, high = gamma, 2 * gamma
  while not _is_definite(np.exp(-high * scaled)):
    low, high = high, 2 * high
    if high > 2.0**40 * gamma:
      return None
  while high - low > 0.01 * high:
    middle = (low + high) / 2
    if _is_definite(np.exp(-middle * scaled)):
      high = middle
    else:
      low = middle
  rounded = float(f'{1.01 * high:.2g}')
  # Definite at every larger rate that was tried, but no theorem says so.
  return rounded if _is_definite(np.exp(-rounded * scaled)) else high


def _separation(
  kernel: np.ndarray | None,
  distances: Hierarchy | Matrix,
  gamma: float,
  mapping: Mapping,
  kind: str,
  how: str,
  num_samples: int = 100,
) -> float:
  """s, by the tree where there is one; `kernel` is made where it is needed."""
  if how not in ('exact', 'grid'):
    raise FrameError(f"separation must be 'exact' or 'grid', got {how!r}.")
  if how == 'exact' and isinstance(distances, Hierarchy):
    return tree_separation(tree_kernel(distances, gamma, mapping, kind))
  if kernel is None:
    kernel = dense_kernel(distances, gamma, mapping, kind)
  try:
    if how == 'grid':
      return _grid_separation(kernel, num_samples)
    return _dense_separation(kernel)
  except np.linalg.LinAlgError as error:
    raise _indefinite(distances, gamma, mapping, str(error)) from None


def min_similarity(
  distances: Distances,
  gamma: float,
  mapping: Mapping = 'exponential',
  separation: str = 'exact',
  num_samples: int = 100,
  kind: str = 'lca_height',
) -> float:
  """The least s for which (1 - s) E + s 1 1^T is positive semi-definite.

  E is the mapping of D / max D. The smaller s, the further apart all classes;
  at the exact minimum the class vectors are balanced and span K - 1 dimensions.
  For a hierarchy no K x K matrix is made: a million nodes are no problem.

  Args:
    distances: between classes, [K, K]; or a hierarchy, the name of a built-in
      one, or a file of either.
    gamma: decay of the exponential mapping, > 0; ignored by the others.
    mapping: 'exponential', exp(-gamma t); 'linear', 1 - t; or a decreasing
      function of arrays from [0, 1] to [0, 1], 0 going to 1.
    separation: 'exact', -1 / (1^T E^-1 1 - 1); or 'grid', the published search
      over equally spaced values from -1/(K-1) to -1.
    num_samples: of the grid.
    kind: of a hierarchy's distances, 'lca_height' or 'lca_depth'.

  Returns:
    s <= 0, which may lie below -1: it is not itself a cosine.

  Raises:
    FrameError: for bad distances or parameters, or where there is no such s;
      where another gamma would help, the message says which.
  """
  return _separation(
    None, resolved(distances), gamma, mapping, kind, separation, num_samples
  )


def similarity(
  distances: Distances,
  gamma: float,
  mapping: Mapping = 'exponential',
  separation: str = 'exact',
  min_similarity: float | None = None,
  kind: str = 'lca_height',
) -> Float[np.ndarray, 'k k']:
  """Cosines that a frame should have: (1 - s) E + s 1 1^T.

  Args:
    distances: see `min_similarity`.
    gamma: see `min_similarity`, as are mapping, separation and kind.
    mapping: how similarity falls with distance.
    separation: how s is found.
    min_similarity: s itself, in the place of a search; at most 0.
    kind: of a hierarchy's distances.

  Returns:
    float64[K, K], unit diagonal, positive semi-definite up to rounding.

  Raises:
    FrameError: as `min_similarity`; and for an s that is positive or too small.
  """
  distances = resolved(distances)
  kernel = dense_kernel(distances, gamma, mapping, kind)
  how = separation if min_similarity is None else 'exact'
  s = _separation(kernel, distances, gamma, mapping, kind, how)
  if min_similarity is not None:
    check_min_similarity(min_similarity, s)
    s = min_similarity
  return _mix(kernel, s)


def check_min_similarity(s: float, least: float):
  """Raises FrameError unless `s` is in [least, 0]."""
  if not is_number(s) or not least - 1e-12 <= s <= 0:
    raise FrameError(
      f'min_similarity must lie between {least:.6g}, where the similarity '
      f'stops being positive semi-definite, and 0, got {s}.'
    )
