# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Error of scores and labels that cannot be measured."""

from hafjax.errors import UserError


class MetricError(UserError):
  """Scores, labels or options that cannot be measured; says which and why."""
