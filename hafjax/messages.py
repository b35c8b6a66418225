# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Words of others for our errors: one line each, whatever is in them."""

from collections.abc import Iterable
from typing import Any

from hafjax.hierarchy import checks


def reason(error: Exception, limit: int = 160) -> str:
  """The first line of what the system or a library says, without full stop."""
  if isinstance(error, OSError) and error.strerror:
    return error.strerror
  lines = str(error).strip().splitlines() or [type(error).__name__]
  return printable(lines[0], limit).rstrip('.')


def printable(text: str, limit: int = 160) -> str:
  """Text as it stands, but for what cannot be shown, and not too long."""
  shown = ''.join(c if c.isprintable() else repr(c)[1:-1] for c in text[:limit])
  return shown if len(text) <= limit else shown[: limit - 3] + '...'


def quoted(values: Iterable[Any], most: int = 5) -> str:
  """The first few values in quotes, and how many more there are."""
  values = list(values)
  more = f' and {len(values) - most:,} more' if len(values) > most else ''
  return ', '.join(checks.quote(value) for value in values[:most]) + more
