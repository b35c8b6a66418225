# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Backs off to the nearest ancestor above a confidence threshold."""

import numpy as np

from hafjax import decisions
from hafjax.runs.curves import Curve
from hafjax.train.rules.base import Rule
from hafjax.train.rules.base import RuleContext
from hafjax.train.rules.base import RuleResult

# Thresholds that tables show.
_MARKS = (0.5, 0.9, 0.99)
_NOTE = 'Risk is the share of wrong answers, coverage how much answers say.'


def build(name: str, context: RuleContext) -> Rule:
  """`decisions.selective_curve`: risk and coverage at 101 thresholds."""
  tree = context.hierarchy
  thresholds = np.linspace(0, 1, 101)

  def sums(probs, coarse, labels, mask, metrics):
    del coarse, metrics
    count = mask.sum().astype(probs.dtype)
    curve = decisions.selective_curve(probs, labels, tree, thresholds, mask)
    sums = {column: count * values for column, values in curve.items()}
    return dict(sums, count=count)

  def finalize(sums, metrics):
    del metrics
    columns = {
      column: (values / sums['count']).tolist()
      for column, values in sums.items()
      if column != 'count'
    }
    area = decisions.area_under_risk_coverage(
      np.array(columns['coverage']), np.array(columns['risk'])
    )
    return RuleResult(
      {},
      Curve(
        columns=columns,
        x='coverage',
        y='risk',
        parameter='threshold',
        area=float(area),
        marks=_MARKS,
        note=_NOTE,
      ),
    )

  return Rule(name, sums, finalize)
