# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""What is wrong with a loss's own parameters."""

from hafjax.errors import UserError


class LossError(UserError):
  """A parameter that a loss cannot use; says which values it can."""
