# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""What collapse is measured from: class means and scatter, in one pass."""

import flax
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int
import numpy as np


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

  counts: Float[Array, 'k']
  means: Float[Array, 'k d']
  scatter: Float[Array, 'd d']
  variances: Float[Array, 'k']
  norm_mean: Float[Array, '']
  norm_scatter: Float[Array, '']

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
    features: Float[Array, 'b d'],
    labels: Int[Array, 'b'],
    num_classes: int,
    mask: Bool[Array, 'b'] | None = None,
  ) -> 'ClassStatistics':
    """Of one batch; see `update`. Half precision is raised to float32."""
    features = jnp.asarray(features)
    features = features.astype(jnp.promote_types(features.dtype, jnp.float32))
    labels, dtype = jnp.asarray(labels), features.dtype
    mask = jnp.ones(len(labels), bool) if mask is None else jnp.asarray(mask)
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
    features: Float[Array, 'b d'],
    labels: Int[Array, 'b'],
    mask: Bool[Array, 'b'] | None = None,
  ) -> 'ClassStatistics':
    """With a batch more.

    Args:
      features: [B, d].
      labels: class indices, int[B].
      mask: which examples count, bool[B]; all by default.
    """
    return self.merge(self.of(features, labels, len(self.counts), mask))

  def merge(self, other: 'ClassStatistics') -> 'ClassStatistics':
    """Of the examples of both."""
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
