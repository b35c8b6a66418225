# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Curves of inference rules, and how results.json holds them."""

from collections.abc import Mapping, Sequence
import dataclasses
from typing import Any

import numpy as np

from hafjax.files.text import quote
from hafjax.numerics.numbers import is_int


@dataclasses.dataclass(frozen=True)
class Curve:
  """One quantity over another, as a parameter of a rule varies.

  Attributes:
    columns: lists of numbers by name, all of one length; x, y and the parameter
      are among them.
    x: name of the column that is drawn along.
    y: name of the column that is drawn.
    parameter: name of the column that varies.
    area: under the curve.
    marks: values of the parameter at which tables show x and y.
    note: what x and y are, in a sentence.
  """

  columns: Mapping[str, Sequence[float]]
  x: str
  y: str
  parameter: str
  area: float
  marks: tuple[float, ...] = ()
  note: str = ''

  def as_json(self) -> dict:
    """Fields of a rule's figures in results.json; read by `read_curve`."""
    return dict(
      self.columns,
      area=self.area,
      curve=dict(
        x=self.x,
        y=self.y,
        parameter=self.parameter,
        marks=list(self.marks),
        note=self.note,
      ),
    )

  def at_marks(self) -> dict[str, float]:
    """x and y where the parameter is nearest to each mark, as 'x@mark'."""
    values = {}
    for mark in self.marks:
      distance = np.abs(np.subtract(self.columns[self.parameter], mark))
      i = int(np.argmin(distance))
      for name in (self.x, self.y):
        values[f'{name}@{mark}'] = self.columns[name][i]
    return values


# Of results that do not describe their curve, written before 'curve' was.
_BEFORE = dict(
  x='coverage',
  y='risk',
  parameter='threshold',
  marks=[0.5, 0.9, 0.99],
  note='Risk is the share of wrong answers, coverage how much answers say.',
)


def read_curve(figures: Mapping[str, Any]) -> Curve | None:
  """The curve among the figures of a split, None where there is none.

  Raises:
    ValueError: if it is damaged; the message says how, without a full stop.
  """
  shape = figures.get('curve')
  if shape is None:
    if 'threshold' not in figures or 'top1' in figures:
      return None
    shape = _BEFORE
  _check_shape(shape)
  names = [shape[role] for role in ('x', 'y', 'parameter')]
  for name in names:
    if not isinstance(figures.get(name), list):
      raise ValueError(f'has no list {quote(name)} for its curve')
  size = len(figures[names[0]])
  columns = {
    name: value for name, value in figures.items() if isinstance(value, list)
  }
  for name, values in columns.items():
    if not size or len(values) != size or not all(map(is_number, values)):
      raise ValueError(
        f'has {quote(values)} as {quote(name)}, which is no list of as many '
        'numbers as its curve has'
      )
  if not is_number(figures.get('area')):
    raise ValueError('has no area')
  marks = tuple(shape['marks'])
  return Curve(columns, *names, figures['area'], marks, shape['note'])


_TEXTS = ('x', 'y', 'parameter', 'note')


def _check_shape(shape: Any):
  """Raises ValueError if this does not say which columns a curve is of."""
  is_shape = (
    isinstance(shape, dict)
    and all(isinstance(shape.get(role), str) for role in _TEXTS)
    and isinstance(shape.get('marks'), list)
    and all(map(is_number, shape['marks']))
  )
  if not is_shape:
    raise ValueError(
      f"has {quote(shape)} as 'curve', which must have x, y, parameter, marks "
      'and note'
    )


def is_number(value: Any) -> bool:
  """Whether it is a number that a float can hold, NaN and infinities too."""
  if is_int(value):
    return abs(value) < 2**63
  return isinstance(value, float)
