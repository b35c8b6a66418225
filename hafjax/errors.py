# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""The base of all errors that tell a user what to do."""


class UserError(ValueError):
  """Wrong input, not a bug: the message says what is wrong and what to do.

  Commands print it without a traceback.
  """
