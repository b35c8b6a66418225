# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""What the files of a run must hold for others to use them.

Runs write what is sound; files that were edited or damaged are told before
anything is computed from them.
"""

import dataclasses
from typing import Any

from hafjax.errors import UserError
from hafjax.files.text import quote
from hafjax.files.text import quote_some
from hafjax.numerics.numbers import is_int

_KINDS = {
  str: 'a text',
  int: 'a whole number',
  dict: 'an object',
  list: 'a list',
}


class RunFileError(UserError):
  """What is wrong with a file of a run, without its name or a full stop."""


def need(value: Any, **kinds: type):
  """Raises RunFileError unless an object has some fields, each of a kind."""
  for name, kind in kinds.items():
    if not isinstance(value, dict) or name not in value:
      raise RunFileError(f'has no {name!r}: it is not of a run of hafjax.main')
    found = value[name]
    if not isinstance(found, kind) or isinstance(found, bool):
      raise RunFileError(
        f'is damaged: {name!r} must be {_KINDS[kind]}, got {quote(found)}'
      )


def is_number(value: Any) -> bool:
  """Whether it is a number that a float can hold, NaN and infinities too."""
  if is_int(value):
    return abs(value) < 2**63
  return isinstance(value, float)


def check_record(record: Any):
  """Raises RunFileError if this is not what `run.json` holds."""
  need(record, classes=list, config=dict)
  method = record['config'].get('method', {})
  if not isinstance(method, dict) or not is_number(method.get('gamma', 1)):
    raise RunFileError(
      f'is damaged: config.method is {quote(method)}, which is no '
      'method with a number as its gamma'
    )


def check_results(results: Any):
  """Raises RunFileError if this is not what `results.json` holds."""
  need(results, variant=str, seed=int, test=dict, val=dict)
  for split in ('test', 'val'):
    _check_metrics(results[split], split)
    if 'top1' not in results[split]:
      raise RunFileError(f'is damaged: {split} has no top1')
  rules = results.get('rules', {})
  if not isinstance(rules, dict):
    raise RunFileError(f'is damaged: rules are {quote(rules)}')
  for name, found in rules.items():
    need({'rules': found}, rules=dict)
    need(found, test=dict, val=dict)
    for split in ('test', 'val'):
      _check_metrics(found[split], f'{split} of the rule {quote(name)}')


# Parameter and axes of a curve that does not name its own as 'axes'.
_AXES = ('threshold', 'coverage', 'risk')


@dataclasses.dataclass(frozen=True)
class Curve:
  """A curve that an inference rule measures.

  Attributes:
    parameter: name of what varies along it, such as 'threshold'.
    x: name of the horizontal axis, such as 'coverage'.
    y: name of the vertical axis, such as 'risk'.
    values: of these, and perhaps more, by name: lists of one length.
    area: under the curve.
  """

  parameter: str
  x: str
  y: str
  values: dict[str, list[float]]
  area: float

  @classmethod
  def of(cls, metrics: dict) -> 'Curve | None':
    """The curve among the values of a rule; None where they are numbers alone.

    Args:
      metrics: of an inference rule on a split: lists of numbers by name, their
        'area', and, unless they are threshold, coverage and risk, the names of
        parameter and axes as 'axes'.
    """
    values = _lists(metrics)
    if not values:
      return None
    axes = metrics.get('axes', _AXES)
    return cls(*axes, values=values, area=metrics['area'])


def _lists(metrics: dict) -> dict[str, list]:
  return {
    name: value
    for name, value in metrics.items()
    if isinstance(value, list) and name != 'axes'
  }


def _check_metrics(metrics: dict, where: str):
  """Numbers by name; and lists of one length that are a curve."""
  lists = _lists(metrics)
  if lists:
    sizes = {len(values) for values in lists.values()}
    axes = metrics.get('axes', list(_AXES))
    is_curve = isinstance(axes, list) and len(axes) == 3 and sizes != {0}
    if not is_curve or len(sizes) != 1 or not set(map(str, axes)) <= set(lists):
      raise RunFileError(
        f'is damaged: {where} has lists, {quote_some(lists)}, that are no curve'
      )
    if not is_number(metrics.get('area')):
      raise RunFileError(f'is damaged: {where} has no area')
  for name, value in metrics.items():
    if name == 'axes' and lists:
      continue
    is_list = name in lists and all(map(is_number, value))
    if not is_list and not is_number(value):
      raise RunFileError(
        f'is damaged: {where} has {quote(value)} as {quote(name)}, which is no '
        'number'
      )
