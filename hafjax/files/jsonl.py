# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Files of JSON that may be damaged: read whole, or an object a line."""

import json
import os
import pathlib
from typing import Any

from hafjax.errors import UserError
from hafjax.files.text import describe_error

# What is nested deeper is nothing of ours, and would overflow the stack of who
# looks at it.
_DEEPEST = 100


class JsonError(UserError):
  """What is wrong with a file, without its name or a full stop."""


def read(file: pathlib.Path) -> Any:
  """What a file of JSON holds; NaN and infinities are numbers.

  Raises:
    JsonError: if it is no JSON, or nothing that can be printed.
    OSError: if it cannot be read.
  """
  return parse(file.read_bytes())


def read_lines(file: pathlib.Path) -> list[dict]:
  """The objects in a file of one JSON object a line; none without the file.

  A last line that is half-written, as after a kill, is left out.

  Raises:
    JsonError: if another line is damaged.
    OSError: if it cannot be read.
  """
  lines = file.read_bytes().splitlines() if file.exists() else []
  found = []
  for number, line in enumerate(lines, 1):
    try:
      value = parse(line)
    except JsonError:
      value = None
    if isinstance(value, dict):
      found.append(value)
    elif number < len(lines):
      raise JsonError(f'line {number} is damaged')
  return found


def parse(text: bytes) -> Any:
  """A value from JSON; raises JsonError if there is none."""
  try:
    value = json.loads(text)
    if b'\\ud' in text.lower():
      # Half of a character cannot be encoded.
      json.dumps(value, ensure_ascii=False).encode()
  except (ValueError, RecursionError) as error:
    raise JsonError(describe_error(error)) from error
  level = [value]
  for _ in range(_DEEPEST):
    level = [inner for outer in level for inner in _inside(outer)]
    if not level:
      return value
  raise JsonError(f'it is nested more than {_DEEPEST} levels deep')


def _inside(value: Any) -> list:
  if isinstance(value, dict):
    return list(value.values())
  return value if isinstance(value, list) else []


def write_json(path: pathlib.Path, value: Any):
  """Writes JSON so that a kill leaves the old file or the new, whole."""
  temporary = path.with_name(path.name + '.tmp')
  temporary.write_text(json.dumps(value, indent=2) + '\n')
  os.replace(temporary, path)
