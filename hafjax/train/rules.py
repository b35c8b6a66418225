# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Inference rules by name: how each is measured over a split.

`config.eval.rules` lists them; a name may have an argument after a colon:

    argmax        the likeliest class, as a check
    crm           least expected distance
    hie           a class's probability times that of its parent
    hie:LEVEL     ... of its ancestor at that depth
    hie:WORKDIR   ... with the ancestors' probabilities of another run, one that
                  was trained with config.level
    selective     up the tree until it is sure: coverage and risk

Rules read the softmax of a method's scores; what they compute is in
`hafjax.decisions`.
"""

from collections.abc import Callable
import dataclasses

import jax.numpy as jnp
import numpy as np

from hafjax import decisions
from hafjax import metrics
from hafjax.errors import UserError
from hafjax.hierarchy import Hierarchy


class RuleError(UserError):
  """A rule that does not exist or cannot be used; says what can."""


@dataclasses.dataclass(frozen=True)
class RuleContext:
  """What a rule may depend on.

  Attributes:
    hierarchy: the class tree, K classes.
    distances: between classes, [K, K].
    kind: of the hierarchy's distances; None where they are the user's own.
    level_of: workdir -> its config.level; RuleError if it has none.
  """

  hierarchy: Hierarchy
  distances: np.ndarray
  kind: str | None
  level_of: Callable[[str], int]


@dataclasses.dataclass(frozen=True)
class Rule:
  """How a rule is measured.

  Attributes:
    name: as in the config.
    sums: (probs [B, K], coarse probabilities [B, M] or None, labels, mask,
      `metrics.Ranking`) -> sums over a batch, to be added up.
    finalise: (sums over a split, the same ranking) -> metrics.
    workdir: whose run makes the coarse probabilities; '' for none.
  """

  name: str
  sums: Callable
  finalise: Callable
  workdir: str = ''


def parse_rule(name: str, setting: RuleContext) -> Rule:
  """The rule of a name.

  Raises:
    RuleError: if there is no such rule, or it cannot have this argument.
  """
  kind, colon, argument = name.partition(':')
  if kind not in _RULES:
    raise RuleError(
      f'There is no rule {name!r} for config.eval.rules; there are '
      f'{", ".join(_RULES)}.'
    )
  build, takes_argument = _RULES[kind]
  if not takes_argument:
    if colon:
      raise RuleError(f'The rule {kind!r} takes no argument, got {name!r}.')
    return build(name, setting)
  return build(name, setting, argument)


def _ranking(name, scores, workdir='') -> Rule:
  """A rule that scores classes: (probs, coarse) -> [B, K]."""

  def sums(probs, coarse, labels, mask, ranking):
    return metrics.hierarchical_sums(
      scores(probs, coarse), labels, ranking, mask
    )

  return Rule(name, sums, metrics.finalise, workdir)


def _argmax(name, setting):
  del setting
  return _ranking(name, lambda probs, coarse: probs)


def _crm(name, setting):
  tree, kind = setting.hierarchy, setting.kind

  def scores(probs, coarse):
    del coarse
    if kind is None:
      return decisions.crm(probs, jnp.asarray(setting.distances))
    return decisions.crm_tree(probs, tree, kind)

  return _ranking(name, scores)


def _hie(name, setting, argument):
  tree = setting.hierarchy
  level, workdir = None, ''
  if argument.isdecimal():
    level = int(argument)
  elif argument:
    level, workdir = setting.level_of(argument), argument
  if level is not None and not 1 <= level <= tree.height:
    raise RuleError(
      f'The rule {name!r} needs a level from 1 to {tree.height}, got {level}.'
    )
  return _ranking(
    name,
    lambda probs, coarse: decisions.hie(probs, tree, coarse, level),
    workdir,
  )


def _selective(name, setting):
  tree = setting.hierarchy
  thresholds = np.linspace(0, 1, 101)

  def sums(probs, coarse, labels, mask, ranking):
    del coarse, ranking
    count = mask.sum().astype(probs.dtype)
    curve = decisions.selective_curve(probs, labels, tree, thresholds, mask)
    return dict(
      count=count, **{name: count * values for name, values in curve.items()}
    )

  def finalise(total, ranking):
    del ranking
    count = total['count']
    curve = {k: v / count for k, v in total.items() if k != 'count'}
    area = decisions.area_under_risk_coverage(curve['coverage'], curve['risk'])
    return dict(
      {name: np.asarray(v).tolist() for name, v in curve.items()},
      area=float(area),
    )

  return Rule(name, sums, finalise)


# Name -> (how it is made, whether it may have an argument).
_RULES = {
  'argmax': (_argmax, False),
  'crm': (_crm, False),
  'hie': (_hie, True),
  'selective': (_selective, False),
}
