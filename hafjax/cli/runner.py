# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Shared command-line entry point: flags, logging and error handling."""

from collections.abc import Callable
import logging as python_logging
import pathlib
import re
import sys
import time
from typing import Any

from absl import app
from absl import flags
from absl import logging

from hafjax.errors import UserError
from hafjax.runtime import progress

# Libraries that are noisy at INFO.
_NOISY = ('orbax', 'jax', 'grain', 'tensorflow')

_OVERRIDE = re.compile(r'--?(?:no)?config\.([^=]+)(?:=(.*))?', re.DOTALL)


def run(work: Callable, parse: Callable | None = None):
  """Runs a command.

  A `UserError` ends it with one sentence and exit status 1. Any other exception
  is a bug and keeps its traceback.

  Args:
    work: called after flags are parsed; without arguments, or with what `parse`
      returns.
    parse: of a command that has arguments of its own beside absl's flags: list
      of words -> anything.
  """

  def main(arguments):
    if parse is None and len(arguments) > 1:
      raise app.UsageError(f'Unexpected arguments: {" ".join(arguments[1:])}.')
    start_time = time.monotonic()
    try:
      if parse is None:
        work()
      else:
        work(arguments)
      logging.info(
        'Wall time %s, without imports.',
        progress.duration(time.monotonic() - start_time),
      )
    except UserError as error:
      logging.debug('Details:', exc_info=True)
      logging.error('%s', error)
      sys.exit(1)

  logging.set_verbosity(logging.INFO)
  logging.get_absl_handler().addFilter(_is_ours_or_serious)
  if parse is None:
    app.run(main, flags_parser=_parse_flags)
  else:
    app.run(main, flags_parser=lambda argv: parse(argv[1:]))


def _is_ours_or_serious(record) -> bool:
  folders = record.pathname.split('/')
  return record.levelno > python_logging.INFO or not any(
    name in folders for name in _NOISY
  )


def _parse_flags(arguments: list[str]) -> list[str]:
  """As absl does it; what is wrong with --config is one sentence, too."""
  if 'config' in flags.FLAGS:
    explain_config_errors(flags.FLAGS['config'], arguments)
  return app.parse_flags_with_usage(arguments)


def explain_config_errors(flag: flags.Flag, arguments: list[str]):
  """Makes a flag of a config file report its problems in one sentence.

  Args:
    flag: from `config_flags.DEFINE_config_file`, called 'config'. From now on,
      parsing it raises absl's IllegalFlagValueError, which names all problems:
      there is no such file or variant; a field that is overridden does not
      exist; or is a group of fields. Other exceptions of the file are bugs.
    arguments: the program's, its name first.
  """
  flag.parser = _ConfigParser(flag.parser, arguments)


class _ConfigParser(flags.ArgumentParser):
  """A parser of ml_collections, with checks before it handles overrides."""

  def __init__(self, parser: flags.ArgumentParser, arguments: list[str]):
    self._parser, self._arguments = parser, arguments

  def flag_type(self) -> str:
    return self._parser.flag_type()

  def parse(self, argument: str) -> Any:
    """The config in FILE[:VARIANT]."""
    file = argument.partition(':')[0]
    if not pathlib.Path(file).is_file():
      raise ValueError(f'there is no file {file}')
    try:
      config = self._parser.parse(argument)
    except UserError as error:
      # The parser wraps get_config's error in one with a traceback as its text.
      raise ValueError(str(error.__context__).rstrip('.')) from error
    problems = [_problem(config, *words) for words in self._overrides()]
    if any(problems):
      raise ValueError('; '.join(filter(None, problems)))
    return config

  def _overrides(self) -> list[tuple[str, str]]:
    """Names and values of --config.NAME=VALUE, or '' without a value."""
    found = []
    following = [*self._arguments[1:], ''][1:]
    for word, next_word in zip(self._arguments[1:], following, strict=True):
      match = _OVERRIDE.fullmatch(word)
      if match:
        name, value = match.groups()
        found.append((name, next_word if value is None else value))
    return found


def _problem(config: Any, name: str, value: str) -> str:
  """What is wrong with an override, without a full stop; '' if nothing is."""
  from ml_collections import config_dict
  from ml_collections.config_flags import config_path

  try:
    config_path.get_type(name, config)
    field = config_path.get_value(name, config)
    whole = name.rpartition('[')[0]
    holder = config_path.get_value(whole, config) if whole else None
  except (AttributeError, LookupError, TypeError, ValueError) as error:
    close = re.search('Did you mean "([^"]+)"', str(error))
    hint = f' (did you mean {close[1]!r}?)' if close else ''
    return f'there is no field {name!r}{hint}'
  if isinstance(holder, tuple):
    return f'{whole!r} can only be set as a whole, as in "{holder}"'
  if isinstance(field, config_dict.ConfigDict) and not value.startswith('{'):
    return (
      f'{name!r} is a group of fields, set one of them: '
      f'{", ".join(f"{name}.{inner}" for inner in field)}'
    )
  return ''
