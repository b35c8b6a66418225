# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Losses that pull features to given class vectors, other than frames' own."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Integer, Num
import optax

from hafjax.losses import arguments
from hafjax.losses.errors import LossError
from hafjax.numerics import arrays
from hafjax.numerics import checks
from hafjax.numerics.arrays import ArrayLike
from hafjax.numerics.vectors import norm
from hafjax.numerics.vectors import unit


def embedding_cosine_loss(
  embeddings: Float[ArrayLike, 'b d'],
  targets: Float[ArrayLike, 'k d'],
  labels: Integer[ArrayLike, 'b'],
  cross_entropy_weight: float = 0.0,
) -> Float[Array, 'b']:
  """One minus the cosine to the label's vector.

  Args:
    embeddings: [B, d]; only their directions matter to the cosine.
    targets: class vectors of any length, [K, d].
    labels: class indices, int[B].
    cross_entropy_weight: of a cross-entropy that takes the embeddings
      themselves for logits, as the published code does; needs d = K.

  Returns:
    float[B]. Barz and Denzler, WACV 2019 (arXiv 1809.09924).

  Raises:
    LossError: if shapes do not fit, a label is no class (where labels are
      traced, its loss is NaN), or an option is out of range.
  """
  checks.check_not_negative(
    'cross_entropy_weight', cross_entropy_weight, LossError
  )
  batch, targets = _checked(embeddings, targets, labels, 'embeddings')
  embeddings, labels = batch.values, batch.labels
  vectors = unit(targets.astype(embeddings.dtype))
  loss = 1 - jnp.sum(unit(embeddings) * vectors[labels], axis=-1)
  if cross_entropy_weight and len(vectors) != embeddings.shape[1]:
    raise LossError(
      'cross_entropy_weight needs embeddings of as many dimensions as there '
      f'are classes, got {embeddings.shape[1]} and {len(vectors)}.'
    )
  if cross_entropy_weight:
    loss += (
      cross_entropy_weight
      * optax.losses.softmax_cross_entropy_with_integer_labels(
        embeddings, labels
      )
    )
  return batch.loss(loss)


def ranking_loss(
  embeddings: Float[ArrayLike, 'b d'],
  targets: Float[ArrayLike, 'k d'],
  labels: Integer[ArrayLike, 'b'],
  margin: float,
) -> Float[Array, 'b']:
  """Hinge of every class against the label's.

  The sum over classes c of max(0, margin + u . e_c - u . e_y), u the
  embedding's direction. The label's own term, a constant `margin`, is in it as
  published: it is the loss's minimum.

  Args:
    embeddings: [B, d]; only their directions matter.
    targets: class vectors, used as they are, [K, d].
    labels: class indices, int[B].
    margin: > 0.

  Returns:
    float[B]. DeViSE: Frome et al., NeurIPS 2013, over all classes.

  Raises:
    LossError: if shapes do not fit, a label is no class (where labels are
      traced, its loss is NaN), or an option is out of range.
  """
  checks.check_positive('margin', margin, LossError)
  batch, targets = _checked(embeddings, targets, labels, 'embeddings')
  directions = unit(batch.values)
  products = directions @ targets.astype(directions.dtype).T
  own = jnp.take_along_axis(products, batch.labels[:, None], axis=1)
  return batch.loss(jnp.sum(jax.nn.relu(margin + products - own), axis=1))


def class_lengths(counts: Num[ArrayLike, 'k']) -> Float[Array, 'k']:
  """Lengths that make rare classes' vectors longer.

  The square root of the mean class size over the size of each; classes without
  examples have length 1, and no say in the mean.

  Args:
    counts: examples of each class, of a batch or a data set, [K].

  Returns:
    float[K]. Yang et al., NeurIPS 2022 (arXiv 2203.09081), released code.
  """
  counts = arrays.as_jax(counts)
  present = counts > 0
  mean = counts.sum() / jnp.maximum(present.sum(), 1)
  return jnp.where(present, jnp.sqrt(mean / jnp.maximum(counts, 1)), 1.0)


def dot_loss(
  features: Float[ArrayLike, 'b d'],
  frame: Float[ArrayLike, 'k d'],
  labels: Integer[ArrayLike, 'b'],
) -> Float[Array, 'b']:
  """Minus the product with the label's vector, for features of fixed length.

  Args:
    features: [B, d].
    frame: class vectors, [K, d].
    labels: class indices, int[B].

  Returns:
    float[B]. Yang et al., NeurIPS 2022 (arXiv 2203.09081), released code.

  Raises:
    LossError: if shapes do not fit, a label is no class (where labels are
      traced, its loss is NaN).
  """
  batch, frame = _checked(features, frame, labels)
  targets = frame.astype(batch.values.dtype)[batch.labels]
  return batch.loss(-jnp.sum(batch.values * targets, axis=1))


def dot_regression_loss(
  features: Float[ArrayLike, 'b d'],
  frame: Float[ArrayLike, 'k d'],
  labels: Integer[ArrayLike, 'b'],
  lengths: Float[ArrayLike, 'b'] | float,
  norm_weight: float = 0.0,
) -> Float[Array, 'b']:
  """Half the squared error of f . w_y to |w_y| l, over l.

  Args:
    features: f, [B, d].
    frame: class vectors w, of any lengths (see `class_lengths`), [K, d].
    labels: class indices y, int[B].
    lengths: l, wanted lengths of the features, [B] or one for all; no gradient
      passes through them.
    norm_weight: of the features' norm, which is added.

  Returns:
    float[B]. Yang et al., NeurIPS 2022 (arXiv 2203.09081), with the
    division by l (not l^2) of the released code.

  Raises:
    LossError: if shapes do not fit, a label is no class (where labels are
      traced, its loss is NaN), or an option is out of range.
  """
  if not isinstance(lengths, ArrayLike):
    checks.check_positive('lengths', lengths, LossError)
  checks.check_not_negative('norm_weight', norm_weight, LossError)
  batch, frame = _checked(features, frame, labels)
  features = batch.values
  targets = frame.astype(features.dtype)[batch.labels]
  lengths = jax.lax.stop_gradient(arrays.as_jax(lengths, features.dtype))
  if lengths.shape not in ((), batch.labels.shape):
    raise LossError(
      f'lengths must be a number or of shape [{len(features)}], one for each '
      f'of the features, got {list(lengths.shape)}.'
    )
  products = jnp.sum(features * targets, axis=-1)
  wanted = jnp.linalg.norm(targets, axis=-1) * lengths
  loss = 0.5 * (products - wanted) ** 2 / lengths
  if norm_weight:
    loss += norm_weight * norm(features)[..., 0]
  return batch.loss(loss)


def _checked(values, vectors, labels, name='features'):
  """The batch, and the class vectors as a JAX array."""
  vectors = arrays.as_jax(vectors)
  arguments.check_matrix(vectors, name='class vectors', rows='K')
  batch = arguments.batch(
    values,
    labels,
    num_classes=len(vectors),
    width=vectors.shape[1],
    name=name,
    of=f'class vectors of shape {list(vectors.shape)}',
  )
  return batch, vectors
