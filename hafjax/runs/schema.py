# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Schema checks for `run.json` and `results.json`.

Runs write what is sound; files that were edited or damaged are refused before
anything is computed from them.
"""

from typing import Any

from hafjax.errors import UserError
from hafjax.files.text import quote
from hafjax.runs.curves import is_number
from hafjax.runs.curves import read_curve

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


def _check_metrics(figures: dict, where: str):
  """Raises RunFileError unless these are numbers by name, or a curve's too."""
  try:
    curve = read_curve(figures)
  except ValueError as error:
    raise RunFileError(f'is damaged: {where} {error}') from None
  lists = {*curve.columns, 'curve'} if curve else ()
  for name, value in figures.items():
    if name not in lists and not is_number(value):
      raise RunFileError(
        f'is damaged: {where} has {quote(value)} as '
        f'{quote(name)}, which is no number'
      )
