# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Inference rules, a module each; see `base`."""

from hafjax.train.rules.base import Rule
from hafjax.train.rules.base import RuleContext
from hafjax.train.rules.base import RuleError
from hafjax.train.rules.base import parse_rule
from hafjax.train.rules.base import ranking_rule

__all__ = ['Rule', 'RuleContext', 'RuleError', 'parse_rule', 'ranking_rule']
