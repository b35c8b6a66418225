# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Files that builders read."""

import pathlib

from hafjax.hierarchy import checks
from hafjax.hierarchy import records
from hafjax.hierarchy import tree
from hafjax.hierarchy.formats import text as text_lib


def naming_file(file: pathlib.Path, build) -> tree.Hierarchy:
  """Calls a builder; its errors name the file."""
  try:
    return build()
  except checks.HierarchyError as error:
    raise checks.HierarchyError(f'{file}: {error}') from None


def read_names(file: text_lib.PathLike) -> list[str]:
  """The names in a file, one a line."""
  source = records.Source('line', str(file), [])
  text = text_lib.read(file)
  return [line.strip() for line in text_lib.lines(text, source)]
