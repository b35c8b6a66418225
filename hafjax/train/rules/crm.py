# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Least expected distance (conditional risk minimization)."""

import jax.numpy as jnp

from hafjax import decisions
from hafjax.train.rules.base import Rule
from hafjax.train.rules.base import RuleContext
from hafjax.train.rules.base import scoring_rule


def build(name: str, context: RuleContext) -> Rule:
  """`decisions.crm`, by the tree where distances are the tree's."""
  tree, kind = context.hierarchy, context.kind

  def scores(probs, coarse):
    del coarse
    if kind is None:
      return decisions.crm(probs, jnp.asarray(context.distances))
    return decisions.crm_tree(probs, tree, kind)

  return scoring_rule(name, scores)
