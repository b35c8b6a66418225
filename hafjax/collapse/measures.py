# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Measures of neural collapse, of statistics and of class vectors.

Pure functions in any precision, jit-able; the rank in `nc1` wants float64. All
raise CollapseError if shapes do not fit, or there is no such kind. In what
follows u(A) is A divided by its Frobenius norm. Sources:

  A: Zhu et al., A Geometric Analysis of Neural Collapse with Unconstrained
     Features, NeurIPS 2021.
  B: Dang et al., Neural Collapse in Deep Linear Networks, ICML 2023.
  C: Liang and Davis, HAFrame, ICCV 2023.
  D: Wu and Papyan, Linguistic Collapse, NeurIPS 2024.
"""

from typing import Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Integer, Num
import numpy as np

from hafjax.collapse import statistics
from hafjax.collapse.errors import CollapseError
from hafjax.numerics.arrays import ArrayLike
from hafjax.numerics.checks import fitted

# --- Within classes ----------------------------------------------------------


def nc1(
  stats: statistics.ClassStatistics,
  kind: Literal['pinv', 'svd', 'quotient', 'cdnv'] = 'pinv',
  centre: Literal['examples', 'classes'] = 'examples',
  power: int = 2,
) -> Float[Array, '']:
  """Variability within classes beside that between them; 0 at collapse.

  With Sigma_W the within-class covariance and Sigma_B that of the class means
  (each class once):

  Args:
    stats: of features of K classes, each with examples (`stats.present()`).
    kind: 'pinv', trace(Sigma_W Sigma_B^+) / K (sources A, B); 'svd', the same
      from the K - 1 leading eigenvectors of Sigma_B (D); 'quotient',
      trace(Sigma_W) / trace(Sigma_B) (D); or 'cdnv', the mean over pairs of
      classes of their mean variance over their distance squared (Galanti et
      al., ICLR 2022; D).
    centre: what Sigma_B is about: the mean of all examples (A, B, C), or that
      of the class means (D's default). The same where classes are balanced.
    power: of the distance in 'cdnv'.

  Returns:
    A scalar.

  Raises:
    CollapseError: if the kind is another.
  """
  num_classes = len(stats.counts)
  if kind == 'cdnv':
    grid = class_distances(stats, power)
    return grid.sum() / (num_classes * (num_classes - 1))
  spread = stats.means - _centre(stats, centre)[None]
  between = spread.T @ spread / num_classes
  if kind == 'quotient':
    return jnp.trace(stats.within) / jnp.trace(between)
  values, vectors = jnp.linalg.eigh(between)
  kept = values > len(values) * jnp.finfo(values.dtype).eps * values[-1]
  if kind == 'svd':
    kept &= jnp.arange(len(values)) > len(values) - num_classes
  elif kind != 'pinv':
    raise CollapseError(
      f"kind must be 'pinv', 'svd', 'quotient' or 'cdnv', got {kind!r}."
    )
  inside = jnp.sum((stats.within @ vectors) * vectors, axis=0)
  return jnp.sum(jnp.where(kept, inside / values, 0)) / num_classes


def class_distances(
  stats: statistics.ClassStatistics, power: int = 2
) -> Float[Array, 'k k']:
  """Class-distance normalised variance of each pair, 0 on the diagonal.

  (v_i + v_j) / 2 / |mu_i - mu_j|^power, with v the `variances`.
  """
  distance = jnp.sqrt(_squared_distances(stats.means))
  variance = (stats.variances[:, None] + stats.variances[None, :]) / 2
  same = jnp.eye(len(distance), dtype=bool)
  return jnp.where(same, 0, variance / jnp.where(same, 1, distance) ** power)


def _centre(stats, centre):
  if centre == 'examples':
    return stats.global_mean
  if centre == 'classes':
    return stats.means.mean(axis=0)
  raise CollapseError(
    f"centre must be 'examples' or 'classes', got {centre!r}."
  )


def _squared_distances(vectors):
  # By products, for differences would take [K, K, d]; centred, so that less
  # cancels.
  vectors = vectors - vectors.mean(axis=0, keepdims=True)
  squares = jnp.sum(vectors**2, axis=1)
  found = squares[:, None] + squares[None] - 2 * vectors @ vectors.T
  return jnp.maximum(found, 0)


# --- Class vectors and where they should be ----------------------------------


def _scaled(array):
  return array / jnp.linalg.norm(array)


def _gram_distance(products, target_gram):
  return jnp.linalg.norm(_scaled(products) - _scaled(target_gram))


def nc2(
  vectors: Float[ArrayLike, 'k d'], target_gram: Float[ArrayLike, 'k k']
) -> Float[Array, '']:
  """Distance of the vectors' products from those of a target, |u(VV^T) - u(G)|.

  Args:
    vectors: classifier rows or (centred) class means, [K, d].
    target_gram: wanted products up to a factor, [K, K]: `etf_similarity` for a
      simplex ETF, the identity for an orthogonal frame, a diagonal of squared
      lengths for a general orthogonal frame, or any frame's (A, B).
  """
  vectors, target_gram = fitted(
    CollapseError, vectors=(vectors, 'kd'), target_gram=(target_gram, 'kk')
  )
  return _gram_distance(vectors @ vectors.T, target_gram)


def frame_deviation(
  vectors: Float[ArrayLike, 'k d'], frame: Float[ArrayLike, 'k r']
) -> tuple[Float[Array, ''], Float[Array, '']]:
  """How far angles are from those of a frame: (mean, standard deviation).

  Args:
    vectors: classifier rows or (centred) class means, [K, d].
    frame: class vectors, [K, r], of any length.

  Returns:
    Over pairs of classes, the mean of |cos - target| and the population
    standard deviation of cos - target. Source C; for a simplex ETF the target
    is -1 / (K - 1) of every pair.
  """
  vectors, frame = fitted(
    CollapseError, vectors=(vectors, 'kd'), frame=(frame, 'kr')
  )
  rows, columns = np.triu_indices(len(vectors), 1)
  gap = _cosines(vectors) - _cosines(jnp.asarray(frame))
  gap = gap[rows, columns]
  return jnp.abs(gap).mean(), gap.std()


def _unit(vectors):
  return vectors / jnp.linalg.norm(vectors, axis=-1, keepdims=True)


def _cosines(vectors):
  unit = _unit(vectors)
  return unit @ unit.T


def pair_kernel(
  vectors: Float[ArrayLike, 'k d'],
  kernel: Literal['distance', 'log', 'riesz'] = 'log',
) -> tuple[Float[Array, ''], Float[Array, '']]:
  """How evenly directions are spread: (mean, variance) over pairs.

  Args:
    vectors: centred class means, [K, d].
    kernel: of the distance r of two unit vectors: r, log(1 / r), or
      sign(d - 2) r^(2 - d). Source D (GNC2).
  """
  [vectors] = fitted(CollapseError, vectors=(vectors, 'kd'))
  rows, columns = np.triu_indices(len(vectors), 1)
  distance = jnp.sqrt(_squared_distances(_unit(vectors))[rows, columns])
  dim = vectors.shape[1]
  if kernel == 'distance':
    values = distance
  elif kernel == 'log':
    values = -jnp.log(distance)
  elif kernel == 'riesz':
    values = np.sign(dim - 2) * distance ** (2 - dim)
  else:
    raise CollapseError(
      f"kernel must be 'distance', 'log' or 'riesz', got {kernel!r}."
    )
  return values.mean(), values.var()


# --- Classifier beside class means -------------------------------------------


def _fitted(classifier, class_means):
  return fitted(
    CollapseError,
    classifier=(classifier, 'kd'),
    class_means=(class_means, 'kd'),
  )


def nc3(
  classifier: Float[ArrayLike, 'k d'],
  class_means: Float[ArrayLike, 'k d'],
  target_gram: Float[ArrayLike, 'k k'],
) -> Float[Array, '']:
  """|u(W H^T) - u(G)|: whether rows and means together make a frame (A, B).

  Args:
    classifier: W, [K, d].
    class_means: H, centred (A) or not (B), [K, d].
    target_gram: G, wanted products up to a factor, [K, K].
  """
  classifier, class_means, target_gram = fitted(
    CollapseError,
    classifier=(classifier, 'kd'),
    class_means=(class_means, 'kd'),
    target_gram=(target_gram, 'kk'),
  )
  return _gram_distance(classifier @ class_means.T, target_gram)


def self_duality(
  classifier: Float[ArrayLike, 'k d'],
  class_means: Float[ArrayLike, 'k d'],
  kind: Literal['squared', 'distance', 'rows'] = 'squared',
) -> Float[Array, '']:
  """How far the classifier is from the class means, up to a factor.

  Args:
    classifier: W, [K, d].
    class_means: H, centred or not, [K, d]; scale rows for a frame of lengths
      (B, imbalanced).
    kind: 'squared', |u(W) - u(H)|^2 (C); 'distance', |u(W) - u(H)| (B); or
      'rows', the mean distance of unit rows (D).

  Returns:
    A scalar, 0 where they are dual.
  """
  classifier, class_means = _fitted(classifier, class_means)
  if kind == 'rows':
    gap = _unit(classifier) - _unit(class_means)
    return jnp.linalg.norm(gap, axis=-1).mean()
  distance = jnp.linalg.norm(_scaled(classifier) - _scaled(class_means))
  if kind == 'distance':
    return distance
  if kind == 'squared':
    return distance**2
  raise CollapseError(
    f"kind must be 'squared', 'distance' or 'rows', got {kind!r}."
  )


def uniform_duality(
  classifier: Float[ArrayLike, 'k d'],
  class_means: Float[ArrayLike, 'k d'],
  kind: Literal['dot', 'cosine'] = 'cosine',
) -> Float[Array, '']:
  """Unbiased variance over classes of a row's product with its mean (D)."""
  classifier, class_means = _fitted(classifier, class_means)
  if kind == 'cosine':
    classifier, class_means = _unit(classifier), _unit(class_means)
  elif kind != 'dot':
    raise CollapseError(f"kind must be 'dot' or 'cosine', got {kind!r}.")
  return jnp.sum(classifier * class_means, axis=1).var(ddof=1)


def length_gap(
  classifier: Float[ArrayLike, 'k d'],
  class_means: Float[ArrayLike, 'k d'],
  ratios: Num[ArrayLike, 'k'],
) -> Float[Array, '']:
  """|(|w_k|^2 / |h_k|^2 - ratio_k)_k| over classes; B, imbalanced."""
  classifier, class_means, ratios = fitted(
    CollapseError,
    classifier=(classifier, 'kd'),
    class_means=(class_means, 'kd'),
    ratios=(ratios, 'k'),
  )
  lengths = jnp.sum(classifier**2, axis=1) / jnp.sum(class_means**2, axis=1)
  return jnp.linalg.norm(lengths - ratios)


def bias_relation(
  classifier: Float[ArrayLike, 'k d'],
  global_mean: Float[ArrayLike, 'd'],
  bias: Float[ArrayLike, '*k'] | float = 0.0,
) -> Float[Array, '']:
  """|W g + b|: whether the bias undoes the features' mean (A)."""
  classifier, global_mean = fitted(
    CollapseError, classifier=(classifier, 'kd'), global_mean=(global_mean, 'd')
  )
  if np.ndim(bias):
    _, bias = fitted(
      CollapseError, classifier=(classifier, 'kd'), bias=(bias, 'k')
    )
  return jnp.linalg.norm(classifier @ global_mean + bias)


def nc4(
  predictions: Integer[ArrayLike, 'b'],
  features: Float[ArrayLike, 'b d'],
  class_means: Float[ArrayLike, 'k d'],
  present: Bool[ArrayLike, 'k'] | None = None,
) -> Bool[Array, 'b']:
  """Whether the classifier chooses the class of the nearest mean.

  Args:
    predictions: of the classifier, classes, int[B].
    features: [B, d].
    class_means: not centred, [K, d].
    present: which classes have a mean, bool[K]; all by default.

  Returns:
    bool[B]; NC4 is its mean.
  """
  if present is None:
    present = np.ones(len(class_means), bool)
  predictions, features, class_means, present = fitted(
    CollapseError,
    predictions=(predictions, 'b'),
    features=(features, 'bd'),
    class_means=(class_means, 'kd'),
    present=(present, 'k'),
  )
  # Centred, for else much cancels in |x - m|^2, which is taken less |x|^2.
  centre = class_means.mean(axis=0, keepdims=True, where=present[:, None])
  features, class_means = features - centre, class_means - centre
  products = jnp.matmul(
    features, class_means.T, precision=jax.lax.Precision.HIGHEST
  )
  distances = jnp.sum(class_means**2, axis=1)[None] - 2 * products
  distances = jnp.where(present[None], distances, jnp.inf)
  return jnp.argmin(distances, axis=1) == predictions


def outlier_deviation(
  class_means: Float[ArrayLike, 'k d'], outlier_mean: Float[ArrayLike, 'd']
) -> Float[Array, '']:
  """Mean |cos| of class means with the mean of outliers' features (D)."""
  class_means, outlier_mean = fitted(
    CollapseError,
    class_means=(class_means, 'kd'),
    outlier_mean=(outlier_mean, 'd'),
  )
  return jnp.abs(_unit(class_means) @ _unit(outlier_mean)).mean()
