# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Curves of training and of collapse."""

from collections.abc import Sequence
import math

from absl import logging
import numpy as np

from hafjax.collapse import MEASURES
from hafjax.report import markup
from hafjax.report import plots
from hafjax.report.sections import context as context_lib
from hafjax.runs import schema
from hafjax.runs.find import COLLAPSE
from hafjax.runs.find import METRICS
from hafjax.runs.find import read_lines

_TRAINING = {
  'train_loss': (
    'training loss',
    "The loss of each method; two methods' do not compare.",
  ),
  'val_top1': (
    'validation top-1',
    'Share of images that are right: up is good.',
  ),
  'val_mistake_severity': (
    'validation severity of mistakes',
    'Mean height of the lowest common ancestor over mistakes: down is good.',
  ),
}

_FIRST = 6

# What matplotlib finds ticks for, and no run gets near.
_LARGEST = 1e100


def curve(histories: Sequence[Sequence[dict]], key: str) -> plots.Curve | None:
  """Mean and extremes over seeds of a value by epoch, None where it is not."""
  by_epoch = {}
  for history in histories:
    # What was measured again counts once, as it was last.
    last = {
      record['epoch']: record[key]
      for record in history
      if schema.is_number(record.get(key)) and _is_epoch(record.get('epoch'))
    }
    for epoch, value in last.items():
      by_epoch.setdefault(epoch, []).append(value)
  if not by_epoch:
    return None
  epochs = sorted(by_epoch)
  values = [by_epoch[epoch] for epoch in epochs]
  return plots.Curve(
    *map(
      np.array,
      (epochs, *(_drawn(f, values) for f in (np.mean, np.min, np.max))),
    )
  )


def _is_epoch(value) -> bool:
  return schema.is_number(value) and abs(value) < _LARGEST


def _drawn(function, values) -> list[float]:
  """A function of each row; NaN, which is not drawn, if it is too large."""
  found = map(function, values)
  return [value if abs(value) < _LARGEST else math.nan for value in found]


def _curves(context, histories, panels, folder, log=()) -> list[str]:
  """A picture for each key that any method has."""
  found = []
  for key, (title, reading) in panels.items():
    curves = {name: curve(runs, key) for name, runs in histories.items()}
    curves = {name: line for name, line in curves.items() if line}
    if curves:
      logging.info('Drawing %s by epoch.', title)
      figure = plots.curve_picture(
        curves, context.looks, title, key.startswith(log)
      )
      looks = {name: context.looks[name] for name in curves}
      found.append(
        context.gallery.picture(f'{folder}_{key}', figure, reading, looks)
      )
  return found


def training(context: context_lib.Context) -> str:
  """Loss, accuracy and severity by epoch."""
  histories = {
    name: [read_lines(run.folder / METRICS) for run in group]
    for name, group in context.methods.items()
  }
  parts = _curves(context, histories, _TRAINING, 'training', ('train_loss',))
  if not parts:
    return context_lib.note(
      'No run has a <code>metrics.jsonl</code> with these values; training '
      'writes it: <code>python -m hafjax.main --config=... --workdir=...'
      '</code>.'
    )
  return (
    context_lib.note(
      'Lines are means over seeds, bands go from the lowest seed to the '
      'highest. A line is missing where a value is no number.'
    )
    + markup.legend(context.looks)
    + context_lib.grid(parts)
  )


def collapse(context: context_lib.Context) -> str:
  """Measures of neural collapse by epoch."""
  histories = {
    name: [
      [
        record
        for record in read_lines(run.folder / COLLAPSE)
        if record.get('layer', 'features') == 'features'
        and record.get('split', 'train') == 'train'
      ]
      for run in group
    ]
    for name, group in context.methods.items()
  }
  missing = context_lib.note(context_lib.missing(context, COLLAPSE))
  panels = list(MEASURES.items())
  log = ('nc1', 'feature_norm')
  first = _curves(context, histories, dict(panels[:_FIRST]), 'collapse', log)
  more = _curves(context, histories, dict(panels[_FIRST:]), 'collapse', log)
  if not first + more:
    return missing or context_lib.note(
      f'No {markup.code(COLLAPSE)} has measures of the features of '
      'training images: <code>python -m hafjax.evaluate --workdir=...</code> '
      'writes them.'
    )
  content = (
    context_lib.note(
      'How far the features of training images have collapsed to their '
      "class means, and these to the simplex ETF or to the method's own "
      'frame. Lines are means over seeds, bands go from the lowest seed to '
      'the highest.'
    )
    + missing
    + markup.legend(context.looks)
    + context_lib.grid(first)
  )
  if more:
    content += markup.details(
      f'More measures ({len(more)})', context_lib.grid(more)
    )
  return content
