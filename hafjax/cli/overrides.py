# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Misspelt fields of a config on the command line, told in words."""

import difflib
import pathlib
import runpy

from absl import flags


def problems(arguments: list[str]) -> list[str]:
  """What is wrong with --config=FILE[:VARIANT] and its overrides' names.

  Args:
    arguments: the program's, its name first.

  Returns:
    Clauses without a full stop; [] if nothing is, or there is no --config.
  """
  given = flags.FlagValues()
  flags.DEFINE_string('config', None, '', flag_values=given)
  others = given(arguments, known_only=True)[1:]
  if given.config is None:
    return []
  file, _, variant = given.config.partition(':')
  if not pathlib.Path(file).is_file():
    return [f'there is no file {file}']
  try:
    config = runpy.run_path(file)['get_config'](*([variant] if variant else []))
  except ValueError as error:
    return [str(error).rstrip('.')]
  names = filter(None, map(_override, others))
  return [words for name in names if (words := _unknown(config, name))]


def _override(word: str) -> str:
  """The field of a word --config.FIELD=VALUE; '' for other words."""
  name = word.lstrip('-').partition('=')[0]
  prefix = 'config.'
  is_flag = word.startswith('-') and name.startswith(prefix)
  return name.removeprefix(prefix) if is_flag else ''


def _unknown(config, name: str) -> str:
  """What is wrong with a field's name, if anything is."""
  group = config
  # Members of lists have numbers in brackets.
  for part in name.partition('[')[0].split('.'):
    known = list(group) if hasattr(group, 'keys') else []
    if part in known:
      group = group[part]
      continue
    close = difflib.get_close_matches(part, known, n=1)
    return f'it has no field {name!r}' + (
      f' (did you mean {close[0]!r}?)' if close else ''
    )
  return ''
