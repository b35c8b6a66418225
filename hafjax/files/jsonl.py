# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""JSON files, whole or an object a line: checked reading, atomic writing."""

from collections.abc import Iterable
import json
import os
import pathlib
from typing import Any

from hafjax.errors import UserError
from hafjax.files.text import describe_error

# Deeper nesting is not ours, and would hit the recursion limit of whoever
# walks through it.
_DEEPEST = 100


class JsonError(UserError):
  """What is wrong with a JSON file, without its name or a full stop."""


def read(file: pathlib.Path) -> Any:
  """Reads a JSON file; NaN and infinities are numbers.

  Raises:
    JsonError: if it is not JSON, is nested too deeply, or cannot be encoded.
    OSError: if it cannot be read.
  """
  return parse(file.read_bytes())


def read_lines(file: pathlib.Path) -> list[dict]:
  """Reads a file of one JSON object a line; [] if there is no file.

  A last line that is half-written, as after a kill, is left out.

  Raises:
    JsonError: if another line is damaged.
    OSError: if it cannot be read.
  """
  lines = file.read_bytes().splitlines() if file.exists() else []
  objects = []
  for number, line in enumerate(lines, 1):
    try:
      value = parse(line)
    except JsonError:
      value = None
    if isinstance(value, dict):
      objects.append(value)
    elif number < len(lines):
      raise JsonError(f'line {number} is damaged')
  return objects


def parse(text: bytes) -> Any:
  """Parses JSON.

  Raises:
    JsonError: if it is not JSON, is nested too deeply, or cannot be encoded.
  """
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
  """Writes JSON; a kill leaves the old file or the new one, whole."""
  _replace(path, json.dumps(value, indent=2) + '\n')


def write_lines(path: pathlib.Path, values: Iterable[dict]):
  """Writes an object a line; a kill leaves the old file or the new one."""
  _replace(path, ''.join(json.dumps(value) + '\n' for value in values))


def append_line(path: pathlib.Path, value: dict):
  """Appends an object as a line of JSON; makes the file if there is none."""
  with open(path, 'a') as stream:
    stream.write(json.dumps(value) + '\n')


def _replace(path: pathlib.Path, text: str):
  temporary = path.with_name(path.name + '.tmp')
  temporary.write_text(text)
  os.replace(temporary, path)
