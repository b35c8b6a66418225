# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""What collapse is measured from: class means and scatter, in one pass."""

import flax.struct
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Integer
import numpy as np

from hafjax.collapse.errors import CollapseError
from hafjax.numerics import arrays
from hafjax.numerics import checks
from hafjax.numerics.arrays import AnyArray
from hafjax.numerics.arrays import ArrayLike
from hafjax.numerics.vectors import at_least_float32


@flax.struct.dataclass
class ClassStatistics:
  """Counts, means and scatter of classes, added to a batch at a time.

  Deviations are taken from running means (Welford; Chan, Golub and LeVeque,
  1979), so nothing cancels where features have collapsed. A pytree: `update`
  and `merge` work under jit and over sharded batches; nothing grows with the
  number of examples.

  Attributes:
    counts: examples of each class, [K].
    means: of each class, 0 for those without examples, [K, d].
    scatter: sum of (x - mean of its class) (x - ...)^T, [d, d].
    variances: mean squared distance to the class mean, [K].
    norm_mean: mean length of the features.
    norm_scatter: summed squared deviations from it.
  """

  counts: Float[AnyArray, 'k']
  means: Float[AnyArray, 'k d']
  scatter: Float[AnyArray, 'd d']
  variances: Float[AnyArray, 'k']
  norm_mean: Float[AnyArray, '']
  norm_scatter: Float[AnyArray, '']

  @classmethod
  def create(
    cls, num_classes: int, dim: int, dtype=jnp.float32
  ) -> 'ClassStatistics':
    """Of no examples; float32 or float64."""
    zeros = np.zeros  # Of which none is compiled.
    return cls(
      counts=zeros(num_classes, dtype),
      means=zeros((num_classes, dim), dtype),
      scatter=zeros((dim, dim), dtype),
      variances=zeros(num_classes, dtype),
      norm_mean=zeros((), dtype),
      norm_scatter=zeros((), dtype),
    )

  @classmethod
  def of(
    cls,
    features: Float[ArrayLike, 'b d'],
    labels: Integer[ArrayLike, 'b'],
    num_classes: int,
    mask: Bool[ArrayLike, 'b'] | None = None,
  ) -> 'ClassStatistics':
    """Of one batch; see `update`. Half precision is raised to float32."""
    features, labels, mask = checked_batch(features, labels, num_classes, mask)
    features = at_least_float32(features)
    dtype = features.dtype
    weight = mask.astype(dtype)
    # What does not count may be anything, even NaN.
    features = jnp.where(mask[:, None], features, 0)
    counts = jnp.zeros(num_classes, dtype).at[labels].add(weight)
    sums = jnp.zeros((num_classes, features.shape[1]), dtype)
    means = _divided(sums.at[labels].add(features), counts[:, None])
    rest = weight[:, None] * (features - means[labels])
    squares = jnp.zeros(num_classes, dtype).at[labels].add((rest**2).sum(1))
    norms = jnp.linalg.norm(features, axis=1)
    norm_mean = _divided(weight @ norms, counts.sum())
    return cls(
      counts=counts,
      means=means,
      scatter=jnp.matmul(rest.T, rest, precision=jax.lax.Precision.HIGHEST),
      variances=_divided(squares, counts),
      norm_mean=norm_mean,
      norm_scatter=weight @ (norms - norm_mean) ** 2,
    )

  def update(
    self,
    features: Float[ArrayLike, 'b d'],
    labels: Integer[ArrayLike, 'b'],
    mask: Bool[ArrayLike, 'b'] | None = None,
  ) -> 'ClassStatistics':
    """With a batch more.

    Args:
      features: [B, d].
      labels: class indices, int[B].
      mask: which examples count, bool[B]; all by default. Features and labels
        of the others may be anything.

    Raises:
      CollapseError: if shapes do not fit, or a label is no class. Where labels
        are traced, examples of no class do not count.
    """
    checks.fitted(
      CollapseError, means=(self.means, 'kd'), features=(features, 'bd')
    )
    return self.merge(self.of(features, labels, len(self.counts), mask))

  def merge(self, other: 'ClassStatistics') -> 'ClassStatistics':
    """Of the examples of both.

    Raises:
      CollapseError: if they are of other classes or dimensions.
    """
    checks.fitted(
      CollapseError, means=(self.means, 'kd'), others=(other.means, 'kd')
    )
    counts = self.counts + other.counts
    share = _divided(other.counts, counts)
    shift = other.means - self.means
    between = (self.counts * share)[:, None] * shift
    distance = jnp.sum(shift**2, axis=1)
    total, others = self.counts.sum(), other.counts.sum()
    norm_share = _divided(others, total + others)
    norm_shift = other.norm_mean - self.norm_mean
    return ClassStatistics(
      counts=counts,
      means=self.means + share[:, None] * shift,
      scatter=self.scatter
      + other.scatter
      + jnp.matmul(shift.T, between, precision=jax.lax.Precision.HIGHEST),
      variances=(1 - share) * self.variances
      + share * other.variances
      + share * (1 - share) * distance,
      norm_mean=self.norm_mean + norm_share * norm_shift,
      norm_scatter=self.norm_scatter
      + other.norm_scatter
      + total * norm_share * norm_shift**2,
    )

  @property
  def global_mean(self) -> Float[Array, 'd']:
    """Of all examples."""
    return _divided(self.counts @ self.means, self.counts.sum())

  @property
  def within(self) -> Float[Array, 'd d']:
    """Sigma_W, the within-class covariance averaged over examples."""
    return _divided(self.scatter, self.counts.sum())

  @property
  def norm_std(self) -> Float[Array, '']:
    """Population standard deviation of the features' lengths."""
    return jnp.sqrt(_divided(self.norm_scatter, self.counts.sum()))

  def astype(self, dtype) -> 'ClassStatistics':
    """On the host, for measures in float64."""
    return jax.tree.map(lambda x: np.asarray(x, dtype), self)

  def present(self) -> 'ClassStatistics':
    """Of the classes that have examples, on the host."""
    there = np.flatnonzero(np.asarray(self.counts))
    return self.replace(
      counts=self.counts[there],
      means=self.means[there],
      variances=self.variances[there],
    )


def _divided(values, counts):
  """Quotients, 0 where there is nothing."""
  return jnp.where(counts > 0, values / jnp.where(counts > 0, counts, 1), 0)


def checked_batch(
  features: ArrayLike,
  labels: ArrayLike,
  num_classes: int,
  mask: ArrayLike | None = None,
) -> tuple[Float[Array, 'b d'], Int[Array, 'b'], Bool[Array, 'b']]:
  """A batch as JAX arrays: features, labels in [0, K), and what counts.

  Args:
    features: [B, d].
    labels: class indices, int[B].
    num_classes: K.
    mask: which examples count, bool[B]; all by default.

  Raises:
    CollapseError: if shapes do not fit, or the label of an example that counts
      is no class. Where labels or mask are traced, such examples do not count.
  """
  features, labels = arrays.as_jax(features), arrays.as_jax(labels)
  mask = jnp.ones(labels.shape, bool) if mask is None else arrays.as_jax(mask)
  checks.fitted(
    CollapseError,
    features=(features, 'bd'),
    labels=(labels, 'b'),
    mask=(mask, 'b'),
  )
  traced = checks.is_traced(labels) or checks.is_traced(mask)
  checks.check_labels(
    labels if traced else np.where(mask, labels, 0), num_classes, CollapseError
  )
  mask = mask & (labels >= 0) & (labels < num_classes)
  return features, jnp.where(mask, labels, 0), mask
