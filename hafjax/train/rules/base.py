# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Inference rule: how predictions are read off class probabilities.

`config.eval.rules` lists rules by name; a name may have an argument after a
colon. A rule is a module of this package that offers `build(name, context,
argument)`, argument '' for none. What rules compute is in `hafjax.decisions`.
"""

from collections.abc import Callable
import dataclasses

import numpy as np

from hafjax import metrics
from hafjax import plugins
from hafjax.errors import UserError
from hafjax.hierarchy import Hierarchy

_SHARED = ('base',)
_PACKAGE = 'hafjax.train.rules'


class RuleError(UserError):
  """Unknown or unusable inference rule; the message says what can be used."""


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
    finalize: (sums over a split, the same ranking) -> values by name: numbers,
      and at most one curve, see `runs.schema.Curve.of`.
    workdir: of the run that makes the coarse probabilities; '' for none.
  """

  name: str
  sums: Callable
  finalize: Callable
  workdir: str = ''


def parse_rule(name: str, context: RuleContext) -> Rule:
  """The rule of a name.

  Args:
    name: of a module of this package, or a dotted name of your own; perhaps a
      colon and an argument.
    context: see `RuleContext`.

  Raises:
    RuleError: if there is no such rule, or it cannot have this argument.
  """
  rule, _, argument = name.partition(':')
  try:
    module = plugins.plugin(_PACKAGE, rule, 'inference rule', _SHARED)
  except plugins.PluginError as error:
    raise RuleError(f'config.eval.rules: {error}') from error
  if name.endswith(':') or (argument and not module.TAKES_ARGUMENT):
    raise RuleError(f'The rule {rule!r} takes no argument, got {name!r}.')
  return module.build(name, context, argument)


def ranking_rule(name: str, scores: Callable, workdir: str = '') -> Rule:
  """A rule that scores classes.

  Args:
    name: as in the config.
    scores: (probs [B, K], coarse probabilities or None) -> scores [B, K].
    workdir: see `Rule`.
  """

  def sums(probs, coarse, labels, mask, ranking):
    return metrics.hierarchical_sums(
      scores(probs, coarse), labels, ranking, mask
    )

  def finalize(total, ranking):
    return metrics.ranking_metrics(total, ranking.ks)

  return Rule(name, sums, finalize, workdir)
