# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Words of others for our errors: one line each, whatever is in them."""

from collections.abc import Iterable
from typing import Any


def describe_error(error: Exception, limit: int = 160) -> str:
  """The first line of what the system or a library says, without full stop."""
  if isinstance(error, OSError) and error.strerror:
    return error.strerror
  lines = str(error).strip().splitlines() or [type(error).__name__]
  return shorten(lines[0], limit).rstrip('.')


def shorten(text: str, limit: int = 160) -> str:
  """Text as it stands, but for what cannot be shown, and not too long."""
  shown = ''.join(c if c.isprintable() else repr(c)[1:-1] for c in text[:limit])
  return shown if len(text) <= limit else shown[: limit - 3] + '...'


def quote_some(values: Iterable[Any], most: int = 5) -> str:
  """The first few values in quotes, and how many more there are."""
  values = list(values)
  more = f' and {len(values) - most:,} more' if len(values) > most else ''
  return ', '.join(quote(value) for value in values[:most]) + more


def quote(value: Any, limit: int = 60) -> str:
  """A value as it stands in a message: one line, not too long."""
  try:
    text = repr(value)
  except Exception:  # A repr may do anything, and the message matters more.
    text = f'a {type(value).__name__}'
  text = ' '.join(text.split())
  return text if len(text) <= limit else f'{text[: limit - 3]}...'
