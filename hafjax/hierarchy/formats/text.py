# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Text files: read whole, and by lines; written whole or not at all."""

import codecs
from collections.abc import Iterable
import os
import pathlib
from typing import Any
import uuid

from hafjax.files.text import quote
from hafjax.hierarchy import checks
from hafjax.hierarchy import records

PathLike = str | os.PathLike[str]


def as_path(file: Any) -> pathlib.Path:
  """A file's path; raises HierarchyError if it is none."""
  try:
    path = pathlib.Path(file)
  except TypeError:
    path = None
  if path is None or not path.name:
    raise checks.HierarchyError(
      f'expected the name of a hierarchy or a file, got {quote(file)}.'
    )
  return path


def read(file: PathLike, missing: str = 'is no file that exists') -> str:
  """The text of a file.

  Raises:
    HierarchyError: it cannot be read, or is no text; or it does not exist,
      which `missing` says.
  """
  file = as_path(file)
  try:
    content = file.read_bytes()
  except FileNotFoundError:
    raise checks.HierarchyError(f'{quote(str(file), 200)} {missing}.') from None
  except (OSError, ValueError) as error:
    raise checks.HierarchyError(
      f'{quote(str(file), 200)} cannot be read: {_reason(error)}.'
    ) from None
  return decode(content, str(file))


def decode(content: bytes, file: str) -> str:
  """The text in a file's bytes, without the mark that some begin with."""
  content = content.removeprefix(codecs.BOM_UTF8)
  bad = content.find(b'\0')
  if bad < 0:
    try:
      return content.decode('utf-8')
    except UnicodeDecodeError as error:
      bad = error.start
  line = content.count(b'\n', 0, bad) + 1
  raise checks.HierarchyError(f'{file}, line {line}: this is not UTF-8 text.')


def lines(text: str, source: records.Source) -> Iterable[str]:
  """Yields the lines that say something; tells `source` their numbers."""
  # Not splitlines, which also splits at characters that a name may have.
  for number, line in enumerate(text.split('\n'), 1):
    if line.strip() and not line.startswith('#'):
      source.numbers.append(number)
      yield line


def columns(
  text: str, source: records.Source, separator: str | None = '\t'
) -> Iterable[list[str]]:
  """Yields the two names of each line.

  Args:
    text: of a file.
    source: of the lines.
    separator: what stands between the names; None for white space.
  """
  for i, line in enumerate(lines(text, source)):
    names = [name.strip() for name in line.split(separator)]
    if len(names) != 2:
      between = repr(separator) if separator else 'white space'
      raise source.error(
        i, f'expected 2 columns separated by {between}, got {len(names)}'
      )
    yield names


def write(text: str, file: pathlib.Path) -> None:
  """Writes a file, at once and whole; raises HierarchyError if it cannot."""
  # In the same folder, for a file can be moved at once only inside a disk.
  part = file.with_name(f'{file.name}.{uuid.uuid4().hex}.part')
  try:
    try:
      part.write_bytes(text.encode('utf-8'))
      os.replace(part, file)
    finally:
      part.unlink(missing_ok=True)
  except (OSError, ValueError) as error:
    raise checks.HierarchyError(
      f'{quote(str(file), 200)} cannot be written: {_reason(error)}.'
    ) from None


def check_line_name(name: str) -> None:
  """Raises if a name would be read back from a line as something else."""
  problem = None
  if '\n' in name or '\0' in name:
    problem = 'contains a character that no line can have'
  elif name != name.strip() or name.startswith('\ufeff'):
    problem = 'starts or ends with white space'
  if problem:
    raise checks.HierarchyError(f'the name {quote(name)} {problem}')


def _reason(error: Exception) -> str:
  """Why the operating system refused, without its own punctuation."""
  return str(getattr(error, 'strerror', None) or error).rstrip('.')
