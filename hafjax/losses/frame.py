# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Losses that draw features to the class vectors of a fixed frame."""

import jax.numpy as jnp
from jaxtyping import Array, Float, Integer
import optax

from hafjax import frames
from hafjax.losses import arguments
from hafjax.losses.errors import LossError
from hafjax.numerics import checks
from hafjax.numerics.arrays import AnyArray
from hafjax.numerics.arrays import ArrayLike
from hafjax.numerics.vectors import at_least_float32
from hafjax.numerics.vectors import divided
from hafjax.numerics.vectors import norm
from hafjax.numerics.vectors import unit


def cosine_frame_loss(
  features: Float[ArrayLike, 'b d'],
  frame: Float[ArrayLike, 'k d'] | frames.Frame,
  labels: Integer[ArrayLike, 'b'],
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
    float[B], summed over classes, not averaged; NaN for a label that is no
    class where labels are traced. The gradient of features shorter than 1e-8
    is zero. HAFrame, arXiv 2303.05689, equation for the cosine loss.

  Raises:
    LossError: if shapes do not fit, or a label is no class.
  """
  frame, batch = _checked(features, frame, labels)
  direction = unit(batch.values)
  error = direction - frame.rows(batch.labels).astype(direction.dtype)
  return batch.loss(jnp.sum(frame.logits(error) ** 2, axis=-1))


def haframe_loss(
  features: Float[ArrayLike, 'b d'],
  frame: Float[ArrayLike, 'k d'] | frames.Frame,
  labels: Integer[ArrayLike, 'b'],
  alpha: float | Float[AnyArray, ''],
  beta: float | Float[AnyArray, ''] | None = None,
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
    float[B]; NaN for a label that is no class where labels are traced. The
    cosine loss has no gradient where features are shorter than 1e-8. HAFrame,
    arXiv 2303.05689.

  Raises:
    LossError: if shapes do not fit, a label is no class, or a weight is
      negative.
  """
  frame, batch = _checked(features, frame, labels)
  checks.check_not_negative('alpha', alpha, LossError)
  if beta is None:
    beta = jnp.where(jnp.asarray(alpha) <= 1, 1 - alpha, 1.0)
  else:
    checks.check_not_negative('beta', beta, LossError)
  features, labels = at_least_float32(batch.values), batch.labels
  logits = frame.logits(features)
  cross_entropy = optax.losses.softmax_cross_entropy_with_integer_labels(
    logits, labels
  )
  wanted = frame.logits(frame.rows(labels).astype(features.dtype))
  cosines = divided(logits, norm(features))
  cosine_loss = jnp.sum((cosines - wanted) ** 2, axis=-1)
  return batch.loss(beta * cross_entropy + alpha * cosine_loss)


def _checked(features, frame, labels) -> tuple[frames.Frame, arguments.Batch]:
  frame = frames.as_frame(frame)
  shape = f'[{frame.num_classes}, {frame.dim}]'
  batch = arguments.batch(
    features,
    labels,
    num_classes=frame.num_classes,
    width=frame.dim,
    of=f'a frame of shape {shape}',
  )
  return frame, batch
