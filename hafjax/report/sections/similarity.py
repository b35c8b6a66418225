# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Cosines of class means beside their target."""

from absl import logging
import numpy as np

from hafjax import frames
from hafjax import plots
from hafjax.hierarchy import KINDS
from hafjax.metrics import confusion
from hafjax.report import context as context_lib
from hafjax.report.context import Context
from hafjax.runs.find import PREDICTIONS
from hafjax.runs.find import ReportError

TITLE = 'Similarity of classes'
ORDER = 40

# Of the similarity beside classifiers that are learned: that of HAFrame's
# figures for CIFAR-100.
_GAMMA = 2.0


def content(context: Context) -> str:
  """Cosines of class means beside their target."""
  parts = {
    method: _similarity(context, method, run, arrays)
    for method, run, arrays in context.first_with('class_means', 'frame')
  }
  missing = context_lib.note(context_lib.missing(context, PREDICTIONS))
  if not parts:
    return missing or context_lib.note(
      context_lib.lacking(context, 'class_means')
    )
  return (
    context_lib.note(
      'Cosines between the mean features of classes, in tree order, beside '
      'those that the method aims at. Blocks along the diagonal are the '
      'groups of the hierarchy; the more alike the two matrices, the more '
      'of the target was learned.'
    )
    + missing
    + ''.join(context_lib.folded(parts))
  )


def _similarity(context, method, run, arrays) -> str:
  logging.info('Drawing the similarities of %s.', method)
  config = run.record['config']
  if 'frame' in arrays:
    goal, centered = confusion.cosines(arrays['frame']), False
    words = 'the rows of its own frame'
  else:
    kind = run.results.get('distance')
    kind = kind if kind in KINDS else 'lca_height'
    gamma = config.get('method', {}).get('gamma', _GAMMA)
    try:
      goal = frames.similarity(context.hierarchy, gamma, kind=kind)
    except frames.FrameError as error:
      file = run.folder / 'run.json'
      raise ReportError(f'{file}: {error}') from error
    centered = True
    words = (
      f'the hierarchy-aware similarity (γ = {gamma:g}), which this method was '
      'not told'
    )
  found = confusion.cosines(arrays['class_means'], centered)
  pairs = ~np.eye(len(goal), dtype=bool)
  error = (found - goal)[pairs]
  figure = plots.similarity_picture(
    {'class means': found, 'target': goal}, context.hierarchy
  )
  caption = (
    f'Seed {run.seed}. Left: {"centered " * centered}class means of test '
    f'images; right: {words}. Over pairs of classes they are '
    f'{np.abs(error).mean():.3f} apart in the mean; left less right has a '
    f'standard deviation of {error.std():.3f}.'
  )
  return context.gallery.picture(
    f'similarity_{method}',
    figure,
    caption,
    raster_dpi=context_lib.matrix_dpi(len(goal)),
  )
