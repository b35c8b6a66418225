# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Backs off to the nearest ancestor above a confidence threshold."""

import numpy as np

from hafjax import decisions
from hafjax.train.rules.base import Rule
from hafjax.train.rules.base import RuleContext

TAKES_ARGUMENT = False


def build(name: str, context: RuleContext, argument: str) -> Rule:
  """The curve of risk against coverage, see `decisions.selective_curve`."""
  del argument
  tree = context.hierarchy
  thresholds = np.linspace(0, 1, 101)

  def sums(probs, coarse, labels, mask, ranking):
    del coarse, ranking
    count = mask.sum().astype(probs.dtype)
    curve = decisions.selective_curve(probs, labels, tree, thresholds, mask)
    return dict(
      count=count, **{name: count * values for name, values in curve.items()}
    )

  def finalize(total, ranking):
    del ranking
    count = total['count']
    curve = {k: v / count for k, v in total.items() if k != 'count'}
    area = decisions.area_under_risk_coverage(curve['coverage'], curve['risk'])
    return dict(
      {name: np.asarray(values).tolist() for name, values in curve.items()},
      area=float(area),
    )

  return Rule(name, sums, finalize)
