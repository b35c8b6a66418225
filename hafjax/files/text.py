# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Formats third-party errors and user values as one printable line."""

from collections.abc import Iterable
from typing import Any


def describe_error(error: Exception, limit: int = 160) -> str:
  """The first line of a system's or library's error, without a full stop."""
  if isinstance(error, OSError) and error.strerror:
    return error.strerror
  lines = str(error).strip().splitlines() or [type(error).__name__]
  return shorten(lines[0], limit).rstrip('.')


def shorten(text: str, limit: int = 160) -> str:
  """Escapes characters that are not printable, and truncates to `limit`."""
  shown = ''.join(c if c.isprintable() else repr(c)[1:-1] for c in text[:limit])
  return shown if len(text) <= limit else shown[: limit - 3] + '...'


def quote_some(values: Iterable[Any], most: int = 5) -> str:
  """The first `most` values as by `quote`, and the number of the others."""
  values = list(values)
  more = f' and {len(values) - most:,} more' if len(values) > most else ''
  return ', '.join(quote(value) for value in values[:most]) + more


def quote(value: Any, limit: int = 60) -> str:
  """The repr of a value on one line, truncated to `limit` characters."""
  try:
    text = repr(value)
  except Exception:  # A repr may do anything, and the message matters more.
    text = f'a {type(value).__name__}'
  text = ' '.join(text.split())
  return text if len(text) <= limit else f'{text[: limit - 3]}...'
