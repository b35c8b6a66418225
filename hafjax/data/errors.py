# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""The error of data that cannot be read."""

from hafjax.errors import UserError


class DataError(UserError):
  """Data that cannot be read or used; the message says what to do."""
