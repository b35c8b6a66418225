# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Class probabilities times those of their ancestors."""

from hafjax import decisions
from hafjax.train.rules.base import Rule
from hafjax.train.rules.base import RuleContext
from hafjax.train.rules.base import RuleError
from hafjax.train.rules.base import ranking_rule

TAKES_ARGUMENT = True


def build(name: str, context: RuleContext, argument: str) -> Rule:
  """See `decisions.hie`.

  Args:
    name: as in the config.
    context: see `RuleContext`.
    argument: depth of the ancestor, its parent by default; or the workdir of a
      run with config.level, whose probabilities are the ancestors'.
  """
  tree = context.hierarchy
  level, workdir = None, ''
  if argument.isdecimal():
    level = int(argument)
  elif argument:
    level, workdir = context.level_of(argument), argument
  if level is not None and not 1 <= level <= tree.height:
    raise RuleError(
      f'The rule {name!r} needs a level from 1 to {tree.height}, got {level}.'
    )
  return ranking_rule(
    name,
    lambda probs, coarse: decisions.hie(probs, tree, coarse, level),
    workdir,
  )
