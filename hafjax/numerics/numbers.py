# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Whether values are numbers."""

import numbers
from typing import Any


def is_int(value: Any) -> bool:
  """Whether a value is an integer of Python or NumPy, and no bool."""
  return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def is_number(value: Any) -> bool:
  """Whether a value is a real number of Python or NumPy, and no bool."""
  return isinstance(value, numbers.Real) and not isinstance(value, bool)
