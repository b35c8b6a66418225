# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Losses that draw features to the class vectors of a fixed frame."""

import jax.numpy as jnp
from jaxtyping import Array, Float, Int
import optax

from hafjax import frames
from hafjax.numerics.vectors import at_least_float32
from hafjax.numerics.vectors import norm
from hafjax.numerics.vectors import unit


def cosine_frame_loss(
  features: Float[Array, 'b d'],
  frame: Float[Array, 'k d'] | frames.Frame,
  labels: Int[Array, 'b'],
) -> Float[Array, 'b']:
  """Squared errors of the cosines to all class vectors.

  The sum over classes c of (w_c . f - w_c . w_y)^2, f the feature's direction:
  zero where a feature points at its own class vector. Computed as
  |W (f - w_y)|^2, which needs no table of similarities.

  Args:
    features: raw features, [B, d]; only their directions matter.
    frame: unit-norm class vectors, [K, d], or an operator.
    labels: class indices, int[B].

  Returns:
    float[B], summed over classes, not averaged. HAFrame, arXiv 2303.05689,
    equation for the cosine loss.
  """
  direction, frame = unit(features), frames.as_frame(frame)
  error = direction - frame.rows(labels).astype(direction.dtype)
  return jnp.sum(frame.logits(error) ** 2, axis=-1)


def haframe_loss(
  features: Float[Array, 'b d'],
  frame: Float[Array, 'k d'] | frames.Frame,
  labels: Int[Array, 'b'],
  alpha: float | Float[Array, ''],
  beta: float | Float[Array, ''] | None = None,
) -> Float[Array, 'b']:
  """beta times cross-entropy plus alpha times the cosine loss.

  Both share the product of features and frame, in value and gradient.

  Args:
    features: raw features, [B, d].
    frame: unit-norm class vectors, the fixed classifier, [K, d], or an
      operator; logits are features @ frame.T.
    labels: class indices, int[B].
    alpha: weight of the cosine loss.
    beta: weight of the cross-entropy; None for 1 - alpha where alpha <= 1, and
      1 above.

  Returns:
    float[B]. HAFrame, arXiv 2303.05689.
  """
  if beta is None:
    beta = jnp.where(jnp.asarray(alpha) <= 1, 1 - alpha, 1.0)
  features, frame = at_least_float32(features), frames.as_frame(frame)
  logits = frame.logits(features)
  cross_entropy = optax.losses.softmax_cross_entropy_with_integer_labels(
    logits, labels
  )
  wanted = frame.logits(frame.rows(labels).astype(features.dtype))
  cosine = jnp.sum((logits / norm(features) - wanted) ** 2, axis=-1)
  return beta * cross_entropy + alpha * cosine
