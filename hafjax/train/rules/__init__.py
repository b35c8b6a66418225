# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Inference rules, one file each: how each is measured over a split.

`config.eval.rules` lists them; a name may have an argument after a colon:

    argmax        the likeliest class, as a check
    crm           least expected distance
    hie           a class's probability times that of its parent
    hie:LEVEL     ... of its ancestor at that depth
    hie:WORKDIR   ... with the ancestors' probabilities of another run, one that
                  was trained with config.level
    selective     backs off to the nearest ancestor above a confidence
                  threshold; the risk-coverage curve

Rules read the softmax of a method's scores; what they compute is in
`hafjax.decisions`. A module here, or one of your own by its dotted name, offers

    build(name, context) -> Rule

and takes a keyword `argument` where the name may have one.
"""

from hafjax.train.rules.base import Rule
from hafjax.train.rules.base import RuleContext
from hafjax.train.rules.base import RuleError
from hafjax.train.rules.base import RuleResult
from hafjax.train.rules.base import parse_rule
from hafjax.train.rules.base import rule_names
from hafjax.train.rules.base import scoring_rule

__all__ = [
  'Rule',
  'RuleContext',
  'RuleError',
  'RuleResult',
  'parse_rule',
  'rule_names',
  'scoring_rule',
]
