# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Fewer training examples of some classes, on purpose."""

from collections.abc import Sequence

from jaxtyping import Int
import numpy as np

from hafjax.data.errors import DataError


def class_counts(
  available: Int[np.ndarray, 'k'],
  counts: Sequence[int] = (),
  factor: float = 1.0,
) -> Int[np.ndarray, 'k']:
  """How many training examples of each class are left.

  Args:
    available: how many there are.
    counts: how many are left; () where `factor` says it.
    factor: of the first class's count over the last one's in a long tail that
      falls exponentially from class to class, in the hierarchy's order; the
      first has as many as the smallest class has now (Cui et al., CVPR 2019,
      arXiv 1901.05555). 1 for all examples of every class.

  Returns:
    int[K].

  Raises:
    DataError: if there are not as many examples or classes, or a class would
      have none.
  """
  if not len(counts):
    if factor == 1:
      return available
    fractions = np.arange(len(available)) / max(len(available) - 1, 1)
    tail = np.floor(available.min() * factor**-fractions + 1e-9).astype(int)
    if tail.min() < 1:
      raise DataError(
        f'config.imbalance.factor={factor:g} would leave no training example '
        f'of the last class, for the first has {available.min()}: lower it.'
      )
    return tail
  if len(counts) != len(available):
    raise DataError(
      f'config.imbalance.counts has {len(counts)} entries and the hierarchy '
      f'{len(available)} classes: give one count a class.'
    )
  counts = np.asarray(counts, int)
  if (too_few := np.flatnonzero(available < counts)).size:
    label = too_few[0]
    raise DataError(
      f'config.imbalance.counts wants {counts[label]} training examples of '
      f'class {label}, which has {available[label]}.'
    )
  return counts


def first_of_each(
  labels: Int[np.ndarray, 'n'], counts: Int[np.ndarray, 'k']
) -> Int[np.ndarray, 'm']:
  """Indices, in order, of the first `counts[k]` examples of each class k."""
  members = [np.flatnonzero(labels == k)[:n] for k, n in enumerate(counts)]
  return np.sort(np.concatenate(members))
