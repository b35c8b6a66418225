# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Metrics of scores in a file, made by any framework."""

import logging

import numpy as np

from hafjax.errors import UserError
from hafjax.files.arrays import ArrayError
from hafjax.files.arrays import load_archive
from hafjax.files.text import describe_error
from hafjax.files.text import quote_some
from hafjax.hierarchy import load_hierarchy
from hafjax.metrics import summary

_log = logging.getLogger(__name__)


class EvaluationError(UserError):
  """Scores that cannot be measured; says why."""


def _read(file: str) -> tuple[np.ndarray, np.ndarray]:
  """Scores and labels."""
  try:
    arrays = load_archive(file)
  except (OSError, ArrayError) as error:
    raise EvaluationError(
      f'{file} cannot be read as an .npz file of plain arrays: '
      f'{describe_error(error)}.'
    ) from error
  missing = [name for name in ('scores', 'labels') if name not in arrays]
  if missing:
    raise EvaluationError(
      f'{file} has no array {missing[0]!r}: it needs scores [N, K] and labels '
      f'[N], and has {quote_some(arrays) or "none"}.'
    )
  return arrays['scores'], arrays['labels']


def _native(array: np.ndarray) -> np.ndarray:
  """Casts to native byte order and at most 64 bits."""
  dtype = array.dtype.newbyteorder('=')
  if dtype.kind == 'f' and dtype.itemsize > 8:
    dtype = np.float64
  # What is too large becomes infinite, which is refused.
  with np.errstate(over='ignore', invalid='ignore'):
    return array.astype(dtype, copy=False)


def are_probabilities(scores: np.ndarray) -> bool:
  """Whether scores, [N, K], are not negative and have rows of sum 1."""
  return bool(
    (scores >= 0).all() and np.allclose(scores.sum(axis=1), 1, atol=1e-3)
  )


def evaluate_scores(
  file: str,
  hierarchy: str,
  kind: str = 'lca_height',
  are: str = 'auto',
) -> dict[str, float]:
  """Metrics of an .npz file; see `metrics.evaluate`.

  Args:
    file: with the arrays 'scores' [N, K] and 'labels' [N].
    hierarchy: a built-in name or a file, K classes.
    kind: of distances.
    are: what the scores are, 'logits' or 'probabilities'; 'auto' for what
      `are_probabilities` says.

  Raises:
    EvaluationError: if the file cannot be read or does not fit the hierarchy.
    HierarchyError: if the hierarchy is bad.
  """
  tree = load_hierarchy(hierarchy)
  scores, labels = _read(file)
  if scores.ndim != 2 or scores.shape[1] != tree.num_classes:
    raise EvaluationError(
      f'{file}: scores must have a column for each of the '
      f'{tree.num_classes} classes of {hierarchy}, got shape '
      f'{list(scores.shape)}.'
    )
  if not np.issubdtype(scores.dtype, np.floating):
    raise EvaluationError(
      f'{file}: scores must be floating-point numbers, got {scores.dtype}.'
    )
  scores, labels = _native(scores), _native(labels)
  if not np.isfinite(scores).all():
    rows = np.flatnonzero(~np.isfinite(scores).all(axis=1))
    raise EvaluationError(
      f'{file}: {len(rows):,} rows of scores are not finite, the first is row '
      f'{rows[0]}.'
    )
  if are == 'auto':
    are = 'probabilities' if are_probabilities(scores) else 'logits'
    _log.info('The scores are taken for %s.', are)
  try:
    return summary.evaluate(
      scores,
      labels,
      tree,
      tree.distances(kind),
      are_probabilities=are == 'probabilities',
    )
  except ValueError as error:
    raise EvaluationError(f'{file}: {error}') from error
