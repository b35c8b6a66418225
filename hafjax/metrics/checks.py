# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Checks of scores and labels that are measured."""

from jaxtyping import Array, Float, Integer, Num
import numpy as np

from hafjax.metrics.errors import MetricError
from hafjax.numerics import arrays
from hafjax.numerics import checks
from hafjax.numerics.arrays import ArrayLike


def check_distances(distances: ArrayLike) -> Num[np.ndarray, 'k k']:
  """Distances on the host; raises MetricError unless they are square."""
  distances = arrays.as_numpy(distances)
  if distances.ndim != 2 or distances.shape[0] != distances.shape[1]:
    raise MetricError(
      f'distances must be of shape [K, K], got {list(distances.shape)}.'
    )
  return distances


def check_batch(scores, labels, num_classes: int, name: str = 'scores'):
  """Raises unless shapes fit and labels are classes.

  Args:
    scores: array of NumPy or JAX, [B, K]; its values are not looked at.
    labels: array of NumPy or JAX, int[B].
    num_classes: K.
    name: of the scores, for the message.

  Raises:
    MetricError: if shapes do not fit, there are no examples, or a label is no
      class.
  """
  if scores.ndim != 2 or scores.shape[1] != num_classes:
    raise MetricError(
      f'{name} must be of shape [B, {num_classes}], a column for each class, '
      f'got {list(scores.shape)}.'
    )
  if not labels.size:
    raise MetricError('There are no examples to measure.')
  checks.check_labels(labels, num_classes, MetricError, len(scores))


def checked_batch(
  scores: ArrayLike, labels: ArrayLike, num_classes: int, name: str = 'scores'
) -> tuple[Float[Array, 'b k'], Integer[Array, 'b']]:
  """Scores and labels as JAX arrays.

  Raises:
    MetricError: as `check_batch`, or if scores are NaN or infinite. Values that
      are traced are not known: `base.label_last_where_invalid` deals with them.
  """
  scores, labels = arrays.as_jax(scores), arrays.as_jax(labels)
  check_batch(scores, labels, num_classes, name)
  checks.check_scores(scores, MetricError, name)
  return scores, labels
