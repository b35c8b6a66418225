# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""What an inference rule is, and how `config.eval.rules` finds one."""

from collections.abc import Callable, Mapping
import dataclasses
import inspect
from typing import NamedTuple

import jax
from jaxtyping import Array, Bool, Float, Int
import numpy as np

from hafjax import metrics as metrics_lib
from hafjax import plugins
from hafjax.errors import UserError
from hafjax.hierarchy import Hierarchy
from hafjax.metrics.base import Metric
from hafjax.runs.curves import Curve

_PACKAGE = 'hafjax.train.rules'
# Modules of the package that are not rules.
_SHARED = ('base',)


class RuleError(UserError):
  """Unknown rule, or one that cannot be used; the message says which can."""


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


class RuleResult(NamedTuple):
  """What a rule has measured over a split.

  Attributes:
    figures: metrics by name.
    curve: at most one.
  """

  figures: dict[str, float]
  curve: Curve | None = None

  def as_json(self) -> dict:
    """As results.json holds it."""
    return self.figures | (self.curve.as_json() if self.curve else {})


@dataclasses.dataclass(frozen=True)
class Rule:
  """How a rule is measured.

  Attributes:
    name: as in the config.
    sums: (probs [B, K], coarse probabilities [B, M] or None, labels int[B],
      mask bool[B], metrics) -> a pytree of sums over a batch, jit-able.
    finalize: (sums over a split in float64, metrics) -> RuleResult.
    workdir: whose run makes the coarse probabilities; '' for none.
    metrics: names of the metrics that the rule reads.
  """

  name: str
  sums: Callable[..., dict]
  finalize: Callable[[dict, Mapping[str, Metric]], RuleResult]
  workdir: str = ''
  metrics: tuple[str, ...] = ()


def rule_names() -> tuple[str, ...]:
  """Names of all rules."""
  return plugins.plugin_names(_PACKAGE, _SHARED)


def parse_rule(name: str, context: RuleContext) -> Rule:
  """The rule of a name, which may have an argument after a colon.

  Raises:
    RuleError: if there is no such rule, or it cannot have this argument.
  """
  module_name, colon, argument = name.partition(':')
  try:
    module = plugins.plugin(_PACKAGE, module_name, 'inference rule', _SHARED)
  except plugins.PluginError as error:
    raise RuleError(f'config.eval.rules: {error}') from error
  if 'argument' in inspect.signature(module.build).parameters:
    return module.build(name, context, argument=argument)
  if colon:
    raise RuleError(
      f'The rule {module_name!r} takes no argument, got {name!r}.'
    )
  return module.build(name, context)


def scoring_rule(
  name: str,
  scores: Callable[
    [Float[Array, 'b k'], Float[Array, 'b m'] | None], Float[Array, 'b k']
  ],
  workdir: str = '',
) -> Rule:
  """A rule that scores classes, measured by the metric 'ranking'.

  Args:
    name: as in the config.
    scores: (probs [B, K], coarse probabilities [B, M] or None) -> [B, K],
      larger for better answers.
    workdir: whose run makes the coarse probabilities; '' for none.
  """

  def sums(
    probs: Float[Array, 'b k'],
    coarse: Float[Array, 'b m'] | None,
    labels: Int[Array, 'b'],
    mask: Bool[jax.Array, 'b'],
    metrics: Mapping[str, Metric],
  ):
    ranking = metrics['ranking']
    batch = metrics_lib.Scored(
      scores(probs, coarse), labels, num_ranked=ranking.num_ranked
    )
    return metrics_lib.sums(dict(ranking=ranking), batch, mask)

  def finalize(sums, metrics):
    ranking = dict(ranking=metrics['ranking'])
    return RuleResult(metrics_lib.finalize(ranking, sums))

  return Rule(name, sums, finalize, workdir, metrics=('ranking',))
