# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Losses that pull features to given class vectors, other than frames' own."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Num
import optax

from hafjax.numerics.vectors import norm
from hafjax.numerics.vectors import unit


def embedding_cosine_loss(
  embeddings: Float[Array, 'b d'],
  targets: Float[Array, 'k d'],
  labels: Int[Array, 'b'],
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
  """
  vectors = unit(jnp.asarray(targets, embeddings.dtype))
  directions = unit(embeddings)
  loss = 1 - jnp.sum(directions * vectors[labels], axis=-1)
  if cross_entropy_weight:
    loss += (
      cross_entropy_weight
      * optax.losses.softmax_cross_entropy_with_integer_labels(
        embeddings, labels
      )
    )
  return loss


def ranking_loss(
  embeddings: Float[Array, 'b d'],
  targets: Float[Array, 'k d'],
  labels: Int[Array, 'b'],
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
  """
  directions = unit(embeddings)
  products = directions @ jnp.asarray(targets, directions.dtype).T
  own = jnp.take_along_axis(products, labels[:, None], axis=1)
  return jnp.sum(jax.nn.relu(margin + products - own), axis=1)


def class_lengths(counts: Num[Array, 'k']) -> Float[Array, 'k']:
  """Lengths that make rare classes' vectors longer.

  The square root of the mean class size over the size of each; classes without
  examples have length 1, and no say in the mean.

  Args:
    counts: examples of each class, of a batch or a data set, [K].

  Returns:
    float[K]. Yang et al., NeurIPS 2022 (arXiv 2203.09081), released code.
  """
  counts = jnp.asarray(counts)
  present = counts > 0
  mean = counts.sum() / jnp.maximum(present.sum(), 1)
  return jnp.where(present, jnp.sqrt(mean / jnp.maximum(counts, 1)), 1.0)


def dot_loss(
  features: Float[Array, 'b d'],
  frame: Float[Array, 'k d'],
  labels: Int[Array, 'b'],
) -> Float[Array, 'b']:
  """Minus the product with the label's vector, for features of fixed length.

  Args:
    features: [B, d].
    frame: class vectors, [K, d].
    labels: class indices, int[B].

  Returns:
    float[B]. Yang et al., NeurIPS 2022 (arXiv 2203.09081), released code.
  """
  return -jnp.sum(features * jnp.asarray(frame, features.dtype)[labels], axis=1)


def dot_regression_loss(
  features: Float[Array, 'b d'],
  frame: Float[Array, 'k d'],
  labels: Int[Array, 'b'],
  lengths: Float[Array, 'b'] | float,
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
  """
  targets = jnp.asarray(frame, features.dtype)[labels]
  lengths = jax.lax.stop_gradient(jnp.asarray(lengths, features.dtype))
  products = jnp.sum(features * targets, axis=-1)
  wanted = jnp.linalg.norm(targets, axis=-1) * lengths
  loss = 0.5 * (products - wanted) ** 2 / lengths
  if norm_weight:
    loss += norm_weight * norm(features)[..., 0]
  return loss
