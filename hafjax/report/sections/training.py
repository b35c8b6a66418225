# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Curves of training."""

from hafjax.report import context as context_lib
from hafjax.report import markup
from hafjax.report.context import Context
from hafjax.report.histories import Panel
from hafjax.report.histories import pictures
from hafjax.runs.find import METRICS
from hafjax.runs.find import read_lines

TITLE = 'Training'
ORDER = 20

_PANELS = {
  'train_loss': Panel(
    'training loss',
    "The loss of each method; two methods' do not compare.",
    log_scale=True,
  ),
  'val_top1': Panel(
    'validation top-1',
    'Share of images that are right: up is good.',
  ),
  'val_mistake_severity': Panel(
    'validation severity of mistakes',
    'Mean height of the lowest common ancestor over mistakes: down is good.',
  ),
}


def content(context: Context) -> str:
  """Loss, accuracy and severity by epoch."""
  histories = {
    name: [read_lines(run.folder / METRICS) for run in group]
    for name, group in context.methods.items()
  }
  parts = pictures(context, histories, _PANELS, 'training')
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
