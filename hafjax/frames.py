# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Frames: fixed class vectors whose cosines say how similar classes are.

Built once, on the host, in float64 (NumPy), whatever JAX's x64 flag says. The
mathematics is that of HAFrame (Liang and Davis, ICCV 2023, arXiv 2303.05689),
with its searched separation replaced by an exact one.

>>> from hafjax import frames, hierarchy
>>> tree = hierarchy.load_hierarchy('cifar100')
>>> frame = frames.haframe(tree, gamma=2.0)
>>> frame.shape
(100, 100)
>>> round(frames.min_similarity(tree, gamma=2.0), 8)
-0.3057392
"""

from collections.abc import Callable

from jaxtyping import Float, Num
import numpy as np

from hafjax import hierarchy as hierarchy_lib

Distances = Num[np.ndarray, 'k k'] | hierarchy_lib.Hierarchy
Mapping = str | Callable[[np.ndarray], np.ndarray]

# Eigenvalues below this part of the largest are rounding errors of zero.
_RANK_TOLERANCE = 1e-10

# q - 1 below which all classes are one class to float64.
_LEAST_EXCESS = 1e-7

# The published search takes eigenvalues of smaller magnitude as zero.
_GRID_TOLERANCE = 1e-6


class FrameError(ValueError):
  """A frame that does not exist; the message says why, and what would work."""


# --- Distances to similarities -----------------------------------------------


def _distance_matrix(distances: Distances, kind: str) -> np.ndarray:
  if isinstance(distances, hierarchy_lib.Hierarchy):
    distances = distances.distances(kind)
  try:
    matrix = np.asarray(distances, np.float64)
  except (TypeError, ValueError) as error:
    raise FrameError(
      f'Distances must be a matrix of numbers: {error}.'
    ) from error
  if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
    raise FrameError(f'Distances must be square, got shape {matrix.shape}.')
  if len(matrix) < 2:
    raise FrameError(f'A frame needs at least 2 classes, got {len(matrix)}.')
  for bad, words in (
    (~np.isfinite(matrix), 'finite'),
    (matrix < 0, 'at least 0'),
    (matrix != matrix.T, 'symmetric'),
    (np.eye(len(matrix), dtype=bool) & (matrix != 0), 'zero on the diagonal'),
  ):
    if bad.any():
      i, j = map(int, np.argwhere(bad)[0])
      raise FrameError(
        f'Distances must be {words}: entry [{i}, {j}] is {matrix[i, j]:g}'
        + (f' and [{j}, {i}] is {matrix[j, i]:g}.' if i != j else '.')
      )
  if not matrix.any():
    raise FrameError('All distances are zero: the classes are one class.')
  return matrix


def _kernel(matrix: np.ndarray, gamma: float, mapping: Mapping) -> np.ndarray:
  """E = f(D / max D), float64[K, K]."""
  scaled = matrix / matrix.max()
  if mapping == 'exponential':
    try:
      rate = float(gamma)
    except (TypeError, ValueError):
      rate = np.nan
    if not 0 < rate < np.inf:
      raise FrameError(f'gamma must be a positive number, got {gamma}.')
    return np.exp(-rate * scaled)
  if mapping == 'linear':
    return 1 - scaled
  if callable(mapping):
    kernel = np.asarray(mapping(scaled), np.float64)
    if kernel.shape != matrix.shape or not np.allclose(np.diag(kernel), 1):
      raise FrameError(
        'A mapping must keep the shape of its argument and take 0 to 1.'
      )
    if not np.isfinite(kernel).all() or (kernel != kernel.T).any():
      raise FrameError(
        'A mapping must be finite, and the same for equal distances.'
      )
    return kernel
  raise FrameError(
    f"mapping must be 'exponential', 'linear' or a function, got {mapping!r}."
  )


def _mix(kernel: np.ndarray, s: float) -> np.ndarray:
  """S(s) = (1 - s) E + s 1 1^T, with an exact unit diagonal."""
  similarities = (1 - s) * kernel + s
  np.fill_diagonal(similarities, 1.0)
  return similarities


def _indefinite(least: float) -> FrameError:
  return FrameError(
    f'The similarity is indefinite (smallest eigenvalue {least:.3g}): the '
    'distances are not an ultrametric; raise gamma (of the exponential '
    'mapping), or repair the distances.'
  )


def _exact_separation(kernel: np.ndarray) -> float:
  """The least s for which S(s) is positive semi-definite: -1 / (q - 1).

  q = 1^T E^+ 1. Where E is singular and 1 is not in its range, any s < 0 has a
  negative direction, and the answer is 0.
  """
  try:
    # Definite with room to spare: a tenth of an eigendecomposition's time.
    margin = _RANK_TOLERANCE * np.trace(kernel)
    np.linalg.cholesky(kernel - margin * np.eye(len(kernel)))
  except np.linalg.LinAlgError:
    return _singular_separation(kernel)
  ones = np.ones(len(kernel))
  return _least_feasible(float(np.linalg.solve(kernel, ones).sum()))


def _singular_separation(kernel: np.ndarray) -> float:
  values, vectors = np.linalg.eigh(kernel)
  if values[0] < -_RANK_TOLERANCE * values[-1]:
    raise _indefinite(values[0])
  parts = vectors.sum(axis=0)
  null = values <= _RANK_TOLERANCE * values[-1]
  if (parts[null] ** 2).sum() > _RANK_TOLERANCE * len(kernel):
    return 0.0
  q = float((parts[~null] ** 2 / values[~null]).sum())
  return _least_feasible(q)


def _least_feasible(q: float) -> float:
  if q - 1 < _LEAST_EXCESS:
    # s would be -1e7 or beyond, and (1 - s) E + s would be rounding errors.
    raise FrameError(
      'The similarities of all classes are 1 up to rounding: raise gamma.'
    )
  return -1 / (q - 1)


def _grid_separation(kernel: np.ndarray, num_samples: int) -> float:
  """The published search: the least feasible of equally spaced values."""
  grid = np.linspace(-1 / (len(kernel) - 1), -1, num_samples)
  feasible = []
  for s in grid:
    values = np.linalg.eigvalsh(_mix(kernel, s))
    if values[np.abs(values) >= _GRID_TOLERANCE].min() >= 0:
      feasible.append(s)
  if not feasible:
    values = np.linalg.eigvalsh(kernel)
    if values[0] < -_RANK_TOLERANCE * values[-1]:
      raise _indefinite(values[0])
    raise FrameError(
      f'None of the {num_samples} values of the grid search gives a positive '
      "semi-definite similarity; use separation='exact', which tells why."
    )
  return float(min(feasible))


def _separation(kernel: np.ndarray, how: str, num_samples: int = 100) -> float:
  if how == 'exact':
    return _exact_separation(kernel)
  if how == 'grid':
    return _grid_separation(kernel, num_samples)
  raise FrameError(f"separation must be 'exact' or 'grid', got {how!r}.")


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

  Args:
    distances: between classes, [K, K], or a hierarchy.
    gamma: decay of the exponential mapping, > 0; ignored by the others.
    mapping: 'exponential', exp(-gamma t); 'linear', 1 - t; or a decreasing
      function from [0, 1] to [0, 1], 0 going to 1.
    separation: 'exact', -1 / (1^T E^-1 1 - 1); or 'grid', the published search
      over equally spaced values from -1/(K-1) to -1.
    num_samples: of the grid.
    kind: of a hierarchy's distances, 'lca_height' or 'lca_depth'.

  Returns:
    s <= 0, which may lie below -1: it is not itself a cosine.

  Raises:
    FrameError: for bad distances or parameters, or where there is no such s.
  """
  kernel = _kernel(_distance_matrix(distances, kind), gamma, mapping)
  return _separation(kernel, separation, num_samples)


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
    distances: between classes, [K, K], or a hierarchy.
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
  kernel = _kernel(_distance_matrix(distances, kind), gamma, mapping)
  if min_similarity is None:
    return _mix(kernel, _separation(kernel, separation))
  s, least = min_similarity, _exact_separation(kernel)
  if not least - 1e-12 <= s <= 0:
    raise FrameError(
      f'min_similarity must lie between {least:.6g}, where the similarity '
      f'stops being positive semi-definite, and 0, got {s}.'
    )
  return _mix(kernel, s)


# --- Similarities to frames --------------------------------------------------


def frame_from_similarity(
  similarity: Float[np.ndarray, 'k k'],
  dim: int | None = None,
  seed: int = 0,
) -> Float[np.ndarray, 'k d']:
  """Vectors with given dot products, randomly rotated.

  Args:
    similarity: wanted dot products, symmetric and positive semi-definite, unit
      diagonal for unit vectors, [K, K].
    dim: d, at least the rank of the similarity; K by default.
    seed: of the rotation, uniform over orthogonal matrices.

  Returns:
    W, float64[K, d] with W W^T = similarity.

  Raises:
    FrameError: if the similarity has negative eigenvalues, or more positive
      ones than dim.
  """
  similarity = np.asarray(similarity, np.float64)
  if similarity.ndim != 2 or similarity.shape[0] != similarity.shape[1]:
    raise FrameError(
      f'A similarity must be square, got shape {similarity.shape}.'
    )
  if not (
    np.isfinite(similarity).all()
    and np.allclose(similarity, similarity.T, rtol=0, atol=1e-12)
  ):
    raise FrameError('A similarity must be symmetric and finite.')
  values, vectors = np.linalg.eigh(similarity)
  tolerance = _RANK_TOLERANCE * values[-1]
  if values[0] < -tolerance:
    raise FrameError(
      'The similarity is indefinite (smallest eigenvalue '
      f'{values[0]:.3g}): no vectors have these dot products.'
    )
  kept = values > tolerance
  rank = int(kept.sum())
  dim = len(similarity) if dim is None else dim
  if dim < rank:
    raise FrameError(
      f'The frame needs {rank} dimensions for its {len(similarity)} classes, '
      f'got dim={dim}.'
    )
  # Hierarchies have eigenvalues of high multiplicity, where eigh's basis hangs
  # on the last bit and differs between machines. A polar factor turns with
  # the basis, so that W does not: a checkpoint does not store its frame.
  basis = vectors[:, kept]
  gaussian = np.random.default_rng(seed).standard_normal((len(similarity), dim))
  left, _, right = np.linalg.svd(basis.T @ gaussian, full_matrices=False)
  return (basis * np.sqrt(values[kept])) @ (left @ right)


def haframe(
  distances: Distances,
  gamma: float,
  dim: int | None = None,
  seed: int = 0,
  mapping: Mapping = 'exponential',
  separation: str = 'exact',
  kind: str = 'lca_height',
) -> Float[np.ndarray, 'k d']:
  """The hierarchy-aware frame: cosines fall with class distance.

  Args:
    distances: between classes, [K, K], or a hierarchy.
    gamma: decay of similarity with distance, > 0; large is a simplex ETF.
    dim: d, K by default, at least K - 1 at exact separation.
    seed: of the random rotation.
    mapping: see `min_similarity`, as are separation and kind.
    separation: how s is found.
    kind: of a hierarchy's distances.

  Returns:
    float64[K, d], rows of unit norm. HAFrame, arXiv 2303.05689.

  Raises:
    FrameError: as `min_similarity` and `frame_from_similarity`.
  """
  cosines = similarity(distances, gamma, mapping, separation, kind=kind)
  return frame_from_similarity(cosines, dim, seed)


def simplex_etf(
  num_classes: int, dim: int | None = None, seed: int = 0
) -> Float[np.ndarray, 'k d']:
  """The simplex equiangular tight frame: all cosines are -1 / (K - 1).

  Args:
    num_classes: K, at least 2.
    dim: d, at least K - 1; K by default.
    seed: of the random rotation.

  Returns:
    float64[K, d], rows of unit norm. Papyan, Han and Donoho, PNAS 2020.

  Raises:
    FrameError: if K or d is too small.
  """
  if num_classes < 2:
    raise FrameError(f'A frame needs at least 2 classes, got {num_classes}.')
  return frame_from_similarity(
    _mix(np.eye(num_classes), -1 / (num_classes - 1)), dim, seed
  )


def orthogonal_frame(
  num_classes: int,
  dim: int | None = None,
  seed: int = 0,
  lengths: Float[np.ndarray, 'k'] | None = None,
) -> Float[np.ndarray, 'k d']:
  """Orthogonal class vectors, of unit or given lengths.

  Args:
    num_classes: K, at least 1.
    dim: d, at least the number of non-zero lengths; K by default.
    seed: of the random rotation.
    lengths: [K], at least 0; ones by default.

  Returns:
    float64[K, d].

  Raises:
    FrameError: if d is too small or the lengths are bad.
  """
  lengths = np.ones(num_classes) if lengths is None else np.asarray(lengths)
  if lengths.shape != (num_classes,) or not np.all(lengths >= 0):
    raise FrameError(
      f'lengths must be {num_classes} numbers of at least 0, got {lengths}.'
    )
  if not np.any(lengths > 0):
    raise FrameError('At least one length must be positive.')
  return frame_from_similarity(np.diag(lengths.astype(float) ** 2), dim, seed)
