# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Probabilities of classes times those of their ancestors (HiE)."""

from hafjax import decisions
from hafjax.train.rules.base import Rule
from hafjax.train.rules.base import RuleContext
from hafjax.train.rules.base import RuleError
from hafjax.train.rules.base import scoring_rule


def build(name: str, context: RuleContext, *, argument: str) -> Rule:
  """`decisions.hie`.

  Args:
    name: as in the config.
    context: see `RuleContext`.
    argument: '' for parents, a level for ancestors at that depth, or the
      workdir of a run whose classes are the ancestors.

  Raises:
    RuleError: if there is no such level, or the run has none.
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

  def scores(probs, coarse):
    return decisions.hie(probs, tree, coarse, level)

  return scoring_rule(name, scores, workdir)
