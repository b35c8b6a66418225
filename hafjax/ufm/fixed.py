# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Losses on top of a classifier that stays as it is, for `optimise`."""

import functools

import jax
import jax.numpy as jnp
from jaxtyping import Float

from hafjax import losses
from hafjax.numerics import arrays
from hafjax.numerics.arrays import ArrayLike
from hafjax.ufm.model import FeatureLoss
from hafjax.ufm.model import logit_losses


def fixed_classifier(
  classifier: Float[ArrayLike, 'k d'], loss: str, **options
) -> FeatureLoss:
  """A loss of features under a fixed last layer, to be given to `optimise`.

  Features are then free of each other unless layers are between, so that class
  sizes do not matter: there is no minority collapse.

  Args:
    classifier: class vectors, such as a frame, [K, d].
    loss: 'ce' or 'mse' of the logits features @ classifier.T, 'haframe' or
      'dot_regression'.
    **options: of `losses.haframe_loss` (alpha, ...) or
      `losses.dot_regression_loss` (lengths, ...).

  Returns:
    A function of features [N, d] and labels [N] that gives [N].

  Raises:
    ValueError: if there is no such loss.
  """
  known = dict(
    ce=functools.partial(_logit_loss, loss='ce'),
    mse=functools.partial(_logit_loss, loss='mse'),
    haframe=losses.haframe_loss,
    dot_regression=losses.dot_regression_loss,
  )
  if loss not in known:
    raise ValueError(f'loss must be one of {tuple(known)}, got {loss!r}.')
  classifier = arrays.as_numpy(classifier)

  def on_features(features, labels):
    rows = jnp.asarray(classifier, features.dtype)
    return known[loss](features, rows, labels, **options)

  return on_features


def _logit_loss(features, classifier, labels, loss):
  logits = jnp.matmul(
    features, classifier.T, precision=jax.lax.Precision.HIGHEST
  )
  return logit_losses(logits, labels, loss)
