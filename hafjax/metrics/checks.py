# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Checks of scores and labels that are measured."""

import jax.numpy as jnp
from jaxtyping import Array, Float, Int
import numpy as np

from hafjax.metrics.base import MetricError


def check_labels(labels: np.ndarray, num_classes: int):
  """Raises MetricError unless labels are class indices, int[N], N > 0."""
  if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
    raise MetricError(
      'labels must be integers of shape [N], the numbers of classes, got '
      f'{labels.dtype} of shape {list(labels.shape)}.'
    )
  if not len(labels):
    raise MetricError('There are no examples to measure.')
  if labels.min() < 0 or labels.max() >= num_classes:
    raise MetricError(
      f'Labels must be from 0 to {num_classes - 1}, got {labels.min()} to '
      f'{labels.max()}.'
    )


def check_shape(scores, labels, num_classes: int):
  """Raises MetricError unless scores have shape [N, K]."""
  if np.shape(scores) != (np.size(labels), num_classes):
    raise MetricError(
      f'scores must be of shape [{np.size(labels)}, {num_classes}], a row for '
      'each label and a column for each class of the hierarchy, got '
      f'{list(np.shape(scores))}.'
    )


def check_finite(scores: np.ndarray, first_row: int = 0):
  """Raises MetricError if a row of scores has NaN or +inf.

  Args:
    scores: [B, K]; -inf stands for a class that is ruled out.
    first_row: number of the first row, for the message.
  """
  is_bad = ~(scores < np.inf).all(axis=1)
  if is_bad.any():
    raise MetricError(
      f'Scores must not be NaN or infinite: {is_bad.sum():,} rows are, the '
      f'first is row {first_row + int(np.argmax(is_bad))}.'
    )


def checked(
  scores, labels, num_classes: int
) -> tuple[Float[Array, 'n k'], Int[Array, 'n']]:
  """Scores and labels as arrays of JAX.

  Args:
    scores: anything that NumPy reads, [N, K].
    labels: likewise, [N].
    num_classes: K.

  Raises:
    MetricError: if they are not what can be measured.
  """
  labels = np.asarray(labels)
  if not np.size(labels):
    raise MetricError('There are no examples to measure.')
  check_shape(scores, labels, num_classes)
  check_labels(labels, num_classes)
  scores = jnp.asarray(np.asarray(scores))
  if not jnp.issubdtype(scores.dtype, jnp.floating):
    scores = scores.astype(jnp.float32)
  check_finite(np.asarray(scores))
  return scores, jnp.asarray(labels)
