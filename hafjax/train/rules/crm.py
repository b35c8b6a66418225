# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Conditional risk minimization: the class of least expected distance."""

import jax.numpy as jnp

from hafjax import decisions
from hafjax.train.rules.base import Rule
from hafjax.train.rules.base import RuleContext
from hafjax.train.rules.base import ranking_rule

TAKES_ARGUMENT = False


def build(name: str, context: RuleContext, argument: str) -> Rule:
  """See `decisions.crm`."""
  del argument

  def scores(probs, coarse):
    del coarse
    if context.kind is None:
      return decisions.crm(probs, jnp.asarray(context.distances))
    return decisions.crm_tree(probs, context.hierarchy, context.kind)

  return ranking_rule(name, scores)
