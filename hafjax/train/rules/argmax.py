# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""The likeliest class, as a check of other rules."""

from hafjax.train.rules.base import Rule
from hafjax.train.rules.base import RuleContext
from hafjax.train.rules.base import ranking_rule

TAKES_ARGUMENT = False


def build(name: str, context: RuleContext, argument: str) -> Rule:
  """Scores are the probabilities themselves."""
  del context, argument
  return ranking_rule(name, lambda probs, coarse: probs)
