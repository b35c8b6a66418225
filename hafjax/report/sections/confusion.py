# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Confusion matrices in tree order."""

from absl import logging
import numpy as np

from hafjax.metrics import confusion
from hafjax.report import context as context_lib
from hafjax.report import markup
from hafjax.report import plots
from hafjax.report.context import Context
from hafjax.runs.find import PREDICTIONS

TITLE = 'Confusion'
ORDER = 60

# Pairs of classes in the list of the most frequent mistakes.
_PAIRS = 10


def content(context: Context) -> str:
  """Confusion matrices in tree order."""
  missing = context_lib.note(context_lib.missing(context, PREDICTIONS))
  parts = {}
  for name, pooled in context.pooled.items():
    logging.info('Drawing the confusions of %s.', name)
    counts = confusion.confusion(
      pooled.labels, pooled.predictions, context.hierarchy.num_classes
    )
    parts[name] = context.gallery.picture(
      f'confusion_{name}',
      plots.confusion_picture(counts, context.hierarchy),
      f'{context_lib.seeds_of(pooled.seeds).capitalize()}, '
      f'{len(pooled.labels):,} predictions in all.',
      raster_dpi=context_lib.matrix_dpi(len(counts)),
    ) + _frequent(counts, context.hierarchy)
  if not parts:
    return missing
  return (
    context_lib.note(
      'Each row is a true class, and its colours show how its test images '
      'were predicted, all seeds pooled. Classes are in tree order: '
      'mistakes inside of the boxes on the diagonal stay within a group. '
      'Colours follow the square root of the share, so that rare mistakes show.'
    )
    + missing
    + context_lib.grid(context_lib.folded(parts))
  )


def _frequent(counts, hierarchy) -> str:
  """A table of the most frequent confusions, which a fine picture hides."""
  wrong = counts - np.diag(np.diag(counts))
  kinds = int(np.count_nonzero(wrong))
  if not kinds:
    return ''
  # Stable, so that the lower classes are first among equals.
  order = np.argsort(-wrong, axis=None, kind='stable')[: min(_PAIRS, kinds)]
  heights = hierarchy.distances()
  rows = [
    [
      markup.text(f'{hierarchy.class_names[i]} → {hierarchy.class_names[j]}'),
      f'{wrong[i, j]:,}',
      str(heights[i, j]),
    ]
    for i, j in zip(*np.unravel_index(order, wrong.shape), strict=True)
  ]
  header = ['true → predicted', 'images', 'height']
  return markup.details(
    'Most frequent mistakes',
    markup.table(header, rows)
    + context_lib.note(
      f'{len(rows)} of {kinds:,} pairs of classes that were confused; '
      f'{kinds - len(rows):,} are left out.'
    ),
  )
