# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""From wanted cosines to class vectors."""

from collections.abc import Sequence
from typing import NamedTuple

from jaxtyping import Float, Num
import numpy as np
import scipy.optimize

from hafjax.frames.distances import Distances
from hafjax.frames.distances import FrameError
from hafjax.frames.distances import Matrix
from hafjax.frames.kernels import Mapping
from hafjax.frames.separation import RANK_TOLERANCE
from hafjax.frames.separation import similarity
from hafjax.numerics.arrays import ArrayLike
from hafjax.numerics.numbers import is_int


def _spectrum(
  similarity: Matrix,
) -> tuple[np.ndarray, np.ndarray]:
  """Positive eigenvalues, largest first, and their eigenvectors as columns."""
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
  tolerance = RANK_TOLERANCE * values[-1]
  if values[0] < -tolerance:
    raise FrameError(
      'The similarity is indefinite (smallest eigenvalue '
      f'{values[0]:.3g}): no vectors have these dot products.'
    )
  kept = np.flatnonzero(values > tolerance)[::-1]
  return values[kept], vectors[:, kept]


def _turned(basis: np.ndarray, dim: int, seed: int) -> np.ndarray:
  """Orthonormal rows [r, dim] that turn with the columns of a basis [K, r].

  Hierarchies have eigenvalues of high multiplicity, where eigh's basis hangs on
  the last bit and differs between machines. The product of a basis with this
  polar factor does not.
  """
  gaussian = np.random.default_rng(seed).standard_normal((len(basis), dim))
  left, _, right = np.linalg.svd(basis.T @ gaussian, full_matrices=False)
  return left @ right


def frame_from_similarity(
  similarity: Matrix,
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
  values, vectors = _spectrum(similarity)
  dim = _checked_dim(len(vectors) if dim is None else dim)
  if dim < len(values):
    raise FrameError(
      f'The frame needs {len(values)} dimensions for its {len(vectors)} '
      f'classes, got dim={dim}; frames.low_dim_frame comes as near as possible.'
    )
  return (vectors * np.sqrt(values)) @ _turned(vectors, dim, seed)


def _checked_dim(dim: int) -> int:
  if not is_int(dim) or dim < 1:
    raise FrameError(f'A frame needs at least 1 dimension, got dim={dim!r}.')
  return dim


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
    distances: see `min_similarity`.
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
  return frame_from_similarity(etf_similarity(num_classes), dim, seed)


def etf_similarity(num_classes: int) -> Float[np.ndarray, 'k k']:
  """Cosines of a simplex ETF: 1, and -1 / (K - 1) off the diagonal.

  Args:
    num_classes: K, at least 2.

  Raises:
    FrameError: if K is too small.
  """
  if not is_int(num_classes) or num_classes < 2:
    raise FrameError(f'A frame needs at least 2 classes, got {num_classes!r}.')
  cosines = np.full((num_classes, num_classes), -1 / (num_classes - 1))
  np.fill_diagonal(cosines, 1.0)
  return cosines


def orthogonal_frame(
  num_classes: int,
  dim: int | None = None,
  seed: int = 0,
  lengths: Num[ArrayLike, 'k'] | Sequence[float] | None = None,
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


def barz_denzler_frame(
  distances: Distances,
  dim: int | None = None,
  seed: int = 0,
  kind: str = 'lca_height',
) -> Float[np.ndarray, 'k d']:
  """The hierarchy embedding with cosines 1 - D / max D.

  Args:
    distances: see `min_similarity`.
    dim: d, K by default, at least the similarity's rank.
    seed: of the random rotation.
    kind: of a hierarchy's distances.

  Returns:
    float64[K, d], rows of unit norm. Barz and Denzler, WACV 2019 (arXiv
    1809.09924), up to a rotation.

  Raises:
    FrameError: as `similarity` and `frame_from_similarity`.
  """
  cosines = barz_denzler_similarity(distances, kind)
  return frame_from_similarity(cosines, dim, seed)


def barz_denzler_similarity(
  distances: Distances, kind: str = 'lca_height'
) -> Float[np.ndarray, 'k k']:
  """Cosines 1 - D / max D of the hierarchy embedding, see above.

  Args:
    distances: see `min_similarity`.
    kind: of a hierarchy's distances.

  Raises:
    FrameError: as `similarity`.
  """
  return similarity(
    distances, gamma=0.0, mapping='linear', min_similarity=0.0, kind=kind
  )


# --- Fewer dimensions than classes -------------------------------------------


class GramError(NamedTuple):
  """What a frame of too few dimensions gives up.

  Attributes:
    relative: |W W^T - S| / |S|, Frobenius norms.
    largest: the largest |W W^T - S| of two classes.
  """

  relative: float
  largest: float


def gram_error(frame: Float[ArrayLike, 'k d'], similarity: Matrix) -> GramError:
  """How far a frame's products are from the wanted ones.

  Args:
    frame: W, [K, d].
    similarity: S, [K, K].
  """
  frame, similarity = np.asarray(frame), np.asarray(similarity)
  error = frame @ frame.T - similarity
  return GramError(
    relative=float(np.linalg.norm(error) / np.linalg.norm(similarity)),
    largest=float(np.abs(error).max()),
  )


def low_dim_frame(
  similarity: Matrix,
  dim: int,
  seed: int = 0,
  num_steps: int = 500,
) -> Float[np.ndarray, 'k d']:
  """Unit vectors whose products are as near to the wanted ones as can be found.

  Exact where `dim` allows it. Otherwise the eigenvectors of the `dim` largest
  eigenvalues, rows normalised, then |W W^T - S|_F^2 is lowered over unit rows
  by L-BFGS, to a local minimum. `gram_error` tells what is left.

  Args:
    similarity: S, wanted cosines, positive semi-definite, unit diagonal,
      [K, K].
    dim: d, at least 1.
    seed: of the rotation, and of the choice within an eigenspace that does not
      fit whole.
    num_steps: of the refinement at most; 0 for the start itself.

  Returns:
    W, float64[K, d], rows of unit norm.

  Raises:
    FrameError: as `frame_from_similarity`, or if there is no dimension.
  """
  dim = _checked_dim(dim)
  similarity = np.asarray(similarity, np.float64)
  values, vectors = _spectrum(similarity)
  if dim >= len(values):
    return frame_from_similarity(similarity, dim, seed)
  basis, values = _leading(values, vectors, dim, seed)
  start = basis * np.sqrt(values)
  # A class outside of all that is kept starts anywhere.
  lost = np.linalg.norm(start, axis=1) < 1e-6
  noise = np.random.default_rng(seed).standard_normal(start.shape)
  start = _normalised(np.where(lost[:, None], noise, start))
  return _refined(start, similarity, num_steps) @ _turned(basis, dim, seed)


def _normalised(vectors):
  return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def _leading(values, vectors, dim, seed) -> tuple[np.ndarray, np.ndarray]:
  """The `dim` leading eigenvectors; a seed's choice within a cut eigenspace."""
  cut = np.abs(values - values[dim]) <= 1e-9 * values[0]
  above = int(np.argmax(cut))
  space = vectors[:, cut]
  # Every basis of the space gives the same choice (see `_turned`).
  chosen = (
    space @ _turned(space, dim - above, seed) if above < dim else space[:, :0]
  )
  return np.hstack([vectors[:, :above], chosen]), values[:dim]


def _refined(start, similarity, num_steps) -> np.ndarray:
  """Minimises |W W^T - S|_F^2 over unit rows, from `start`."""

  def cost(flat):
    vectors = flat.reshape(start.shape)
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = vectors / norms
    gap = unit @ unit.T - similarity
    slope = 4 * gap @ unit
    slope -= np.sum(slope * unit, axis=1, keepdims=True) * unit
    return np.sum(gap**2), (slope / norms).ravel()

  vectors = start
  while num_steps > 0:
    found = scipy.optimize.minimize(
      cost,
      vectors.ravel(),
      jac=True,
      method='L-BFGS-B',
      options=dict(maxiter=num_steps, ftol=1e-12, gtol=1e-7),
    )
    vectors = _normalised(found.x.reshape(start.shape))
    # Lengths are free, and where one has shrunk to almost nothing the search
    # ends on a slope: then it goes on from unit lengths.
    if found.nit < 2 or np.abs(cost(vectors.ravel())[1]).max() < 1e-4:
      break
    num_steps -= found.nit
  return vectors
