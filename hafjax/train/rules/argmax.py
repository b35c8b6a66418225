# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""The likeliest class, as a check."""

from hafjax.train.rules.base import Rule
from hafjax.train.rules.base import RuleContext
from hafjax.train.rules.base import scoring_rule


def build(name: str, context: RuleContext) -> Rule:
  """The metrics of the method's own predictions."""
  del context
  return scoring_rule(name, lambda probs, coarse: probs)
