# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Pictures of values by epoch, as runs have logged them."""

from collections.abc import Mapping, Sequence
import math
from typing import NamedTuple

from absl import logging
import numpy as np

from hafjax.report import plots
from hafjax.report.context import Context
from hafjax.runs.curves import is_number


class Panel(NamedTuple):
  """A value that is drawn by epoch.

  Attributes:
    title: its name.
    reading: how to read it, as HTML.
    log_scale: whether the y axis is logarithmic.
  """

  title: str
  reading: str
  log_scale: bool = False


def curve(histories: Sequence[Sequence[dict]], key: str) -> plots.Curve | None:
  """Mean and extremes over seeds of a value by epoch, None where it is not."""
  by_epoch = {}
  for history in histories:
    # What was measured again counts once, as it was last.
    last = {
      record['epoch']: record[key]
      for record in history
      if is_number(record.get(key)) and _is_epoch(record.get('epoch'))
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
  return is_number(value) and abs(value) < plots.LARGEST


def _drawn(function, values) -> list[float]:
  """A function of each row; NaN, which is not drawn, if it is too large."""
  found = map(function, values)
  return [value if abs(value) < plots.LARGEST else math.nan for value in found]


def pictures(
  context: Context,
  histories: Mapping[str, Sequence[Sequence[dict]]],
  panels: Mapping[str, Panel],
  folder: str,
) -> list[str]:
  """HTML of a picture for each value that any method has.

  Args:
    context: what the report is made from.
    histories: by method, each a list of records for every run.
    panels: what to draw, by key of the records.
    folder: how the names of the pictures' files begin.
  """
  found = []
  for key, panel in panels.items():
    curves = {name: curve(runs, key) for name, runs in histories.items()}
    curves = {name: line for name, line in curves.items() if line}
    if curves:
      logging.info('Drawing %s by epoch.', panel.title)
      figure = plots.curve_picture(
        curves, context.looks, panel.title, panel.log_scale
      )
      looks = {name: context.looks[name] for name in curves}
      found.append(
        context.gallery.picture(f'{folder}_{key}', figure, panel.reading, looks)
      )
  return found
