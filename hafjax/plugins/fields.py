# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Config fields: default, documentation, check, and part of a run's identity.

A group of fields is a dict of them; groups may be nested.
"""

from collections.abc import Callable
import dataclasses
import os
from typing import Any, NamedTuple

from hafjax.numerics.numbers import is_int
from hafjax.numerics.numbers import is_number


class Check(NamedTuple):
  """Which values a field accepts.

  Attributes:
    accepts: value -> bool.
    words: what a value must be, after 'must be': 'a positive number'.
  """

  accepts: Callable[[Any], bool]
  words: str


# Of `Field.before`: the default is also what was there before the field.
_DEFAULT = object()


@dataclasses.dataclass(frozen=True)
class Field:
  """One field of a config.

  Attributes:
    default: its value where nothing else is said.
    check: which values it may have.
    doc: what it means, in a sentence or two.
    binds: whether a run with another value is another run. False for where and
      how to run: paths, devices, logging.
    before: value that stands for what was done before the field existed, for
      runs recorded then; the default, unless given.
    value_type: where the default is None, for values on the command line.
  """

  default: Any
  check: Check
  doc: str
  binds: bool = True
  before: Any = _DEFAULT
  value_type: type | None = None

  @property
  def value_before(self) -> Any:
    """See `before`."""
    return self.default if self.before is _DEFAULT else self.before


def _safe(accepts: Callable[[Any], bool]) -> Callable[[Any], bool]:
  """A predicate that is false where a value has the wrong type for it."""

  def accepts_any(value):
    try:
      return bool(accepts(value))
    except (TypeError, ValueError):
      return False

  return accepts_any


def check(accepts: Callable[[Any], bool], words: str) -> Check:
  """A check; values of types that `accepts` cannot handle are refused."""
  return Check(_safe(accepts), words)


def at_least(least: int) -> Check:
  return check(
    lambda value: is_int(value) and value >= least,
    f'an integer of at least {least}',
  )


def one_of(*values: Any) -> Check:
  return check(
    lambda value: value in values, f'one of {", ".join(map(repr, values))}'
  )


def file_or(*names: str) -> Check:
  """A path to a file that exists, one of some names, or ''."""
  return check(
    lambda value: (
      isinstance(value, str)
      and (value in ('', *names) or os.path.isfile(value))
    ),
    f"'', one of {', '.join(map(repr, names))}, or a file that exists",
  )


def optional(inner: Check) -> Check:
  return Check(
    lambda value: value is None or inner.accepts(value),
    f'{inner.words}, or None',
  )


def list_of(inner: Check, words: str, empty: bool = False) -> Check:
  """A list (or tuple) of values.

  Args:
    inner: check of each.
    words: what they are, as in 'positive integers'.
    empty: whether it may be empty.
  """
  return check(
    lambda values: (
      not isinstance(values, str)
      and (empty or len(values) > 0)
      and all(map(inner.accepts, values))
    ),
    f'a list of {words}',
  )


TEXT = check(lambda value: isinstance(value, str), 'text')
BOOL = one_of(True, False)
NUMBER = check(is_number, 'a number')
POSITIVE = check(
  lambda value: is_number(value) and 0 < value < float('inf'),
  'a positive number',
)
NOT_NEGATIVE = check(
  lambda value: is_number(value) and 0 <= value < float('inf'),
  'a number of at least 0',
)
# A part of something that may be nothing, but not all.
FRACTION = check(
  lambda value: is_number(value) and 0 <= value < 1, 'a number in [0, 1)'
)
# A part of something, neither nothing nor all.
SHARE = check(
  lambda value: is_number(value) and 0 < value < 1,
  'a number between 0 and 1',
)
NAMES = list_of(TEXT, 'names', empty=True)
