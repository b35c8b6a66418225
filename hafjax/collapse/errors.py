# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""What collapse cannot be measured of."""

from hafjax.errors import UserError


class CollapseError(UserError):
  """Arrays that do not fit, labels that are no classes, or a bad option."""
