# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Soft labels: targets that spread over the classes near the label."""

import jax
from jaxtyping import Array, Float, Integer, Num
import numpy as np
import optax

from hafjax.losses import arguments
from hafjax.losses.errors import LossError
from hafjax.numerics import arrays
from hafjax.numerics import checks
from hafjax.numerics.arrays import ArrayLike


def soft_labels(
  distances: Num[ArrayLike, 'k k'], beta: float
) -> Float[np.ndarray, 'k k']:
  """Targets that spread over the classes near the label.

  Args:
    distances: between classes, [K, K].
    beta: sharpness, >= 0; 0 is the uniform distribution, where the published
      training script would switch to one-hot targets.

  Returns:
    float64[K, K]; column j is the target of class j and sums to 1. Bertinetto
    et al., CVPR 2020 (arXiv 1912.09393), section 3.2.

  Raises:
    LossError: if beta is negative or no number, or distances are not square.
  """
  checks.check_not_negative('beta', beta, LossError)
  distances = arrays.as_numpy(distances, np.float64)
  if distances.ndim != 2 or distances.shape[0] != distances.shape[1]:
    raise LossError(
      f'distances must be of shape [K, K], got {list(distances.shape)}.'
    )
  weights = np.exp(-beta * distances / distances.max())
  return weights / weights.sum(axis=0)


def soft_label_loss(
  logits: Float[ArrayLike, 'b k'],
  labels: Integer[ArrayLike, 'b'],
  table: Float[ArrayLike, 'k k'],
) -> Float[Array, 'b']:
  """Kullback-Leibler divergence of the prediction from soft labels.

  Args:
    logits: [B, K].
    labels: class indices, int[B].
    table: from `soft_labels`.

  Returns:
    float[B], summed over classes. The published code (arXiv 1912.09393) divides
    by K as well, through its library's default.
  """
  table = arrays.as_jax(table)
  if table.ndim != 2 or table.shape[0] != table.shape[1]:
    raise LossError(
      'table must be of shape [K, K], as `soft_labels` makes it, got '
      f'{list(table.shape)}.'
    )
  batch = arguments.batch(
    logits,
    labels,
    num_classes=len(table),
    width=len(table),
    name='logits',
    of=f'a table of shape {list(table.shape)}',
  )
  targets = table.T.astype(batch.values.dtype)[batch.labels]
  log_probs = jax.nn.log_softmax(batch.values)
  return batch.loss(optax.losses.kl_divergence(log_probs, targets))
