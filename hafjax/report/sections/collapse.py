# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Measures of neural collapse by epoch."""

from hafjax.collapse import MEASURES
from hafjax.report import context as context_lib
from hafjax.report import markup
from hafjax.report.context import Context
from hafjax.report.histories import Panel
from hafjax.report.histories import pictures
from hafjax.runs.find import COLLAPSE
from hafjax.runs.find import read_lines

TITLE = 'Collapse'
ORDER = 30


def content(context: Context) -> str:
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
  first, more = (
    pictures(context, histories, _panels(is_main), 'collapse')
    for is_main in (True, False)
  )
  if not first + more:
    return missing or context_lib.note(
      f'No {markup.code(COLLAPSE)} has measures of the features of '
      f'training images: {context_lib.advice(context.runs)}.'
    )
  page = (
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
    page += markup.details(
      f'More measures ({len(more)})', context_lib.grid(more)
    )
  return page


def _panels(is_main: bool) -> dict[str, Panel]:
  """Those that are shown at once, or the others."""
  return {
    name: Panel(measure.title, measure.reading, measure.log_scale)
    for name, measure in MEASURES.items()
    if measure.main == is_main
  }
