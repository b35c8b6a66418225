# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""What the files of a run must hold for others to use them.

Runs write what is sound; files that were edited or damaged are told before
anything is computed from them.
"""

from typing import Any

from hafjax.errors import UserError
from hafjax.files.text import quote
from hafjax.numerics.numbers import is_int

# Of the rule 'selective', as lists of one length.
_CURVE = ('threshold', 'coverage', 'risk')

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


def _check_metrics(found: dict, where: str):
  """Numbers by name; or, by thresholds, lists of numbers among them."""
  size = 0
  if 'threshold' in found and 'top1' not in found:
    need(found, **dict.fromkeys(_CURVE, list))
    size = len(found['threshold'])
    if not is_number(found.get('area')):
      raise RunFileError(f'is damaged: {where} has no area')
  for name, value in found.items():
    if not is_number(value) and not (size and _is_row(value, size)):
      raise RunFileError(
        f'is damaged: {where} has {quote(value)} as '
        f'{quote(name)}, which is no number'
      )


def _is_row(value: Any, size: int) -> bool:
  return (
    isinstance(value, list)
    and len(value) == size
    and all(map(is_number, value))
  )
