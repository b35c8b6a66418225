# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""What our commands share: quiet libraries, and errors for people."""

from collections.abc import Callable
import logging as python_logging
import sys
import time

from absl import app
from absl import logging

from hafjax.cli import overrides
from hafjax.runtime import progress

# Libraries that tell every step they take at level INFO.
_TALKATIVE = ('orbax', 'jax', 'grain', 'tensorflow')


def _is_ours_or_serious(record) -> bool:
  folders = record.pathname.split('/')
  return record.levelno > python_logging.INFO or not any(
    name in folders for name in _TALKATIVE
  )


def _parsed_flags(arguments: list[str]) -> list[str]:
  """Absl's, after what ml_collections would tell by a traceback."""
  try:
    problems = overrides.problems(arguments)
  except Exception as error:  # Whatever a config file of the user's does.
    problems = [f'it raises {type(error).__name__}: {error}']
  if problems:
    # Absl's log has not started.
    sys.exit(f'--config cannot be used: {"; ".join(problems)}.')
  return app.parse_flags_with_usage(arguments)


def run(work: Callable, parse: Callable | None = None):
  """Runs a command; users' errors end it with one sentence, not a traceback.

  Args:
    work: called after flags are parsed; without arguments, or with what `parse`
      returns.
    parse: of a command that has arguments of its own beside absl's flags: list
      of words -> anything.
  """

  def main(arguments):
    if parse is None and len(arguments) > 1:
      raise app.UsageError(f'Unexpected arguments: {" ".join(arguments[1:])}.')
    began = time.monotonic()
    try:
      if parse is None:
        work()
      else:
        work(arguments)
      logging.info(
        'Wall time %s, without imports.',
        progress.duration(time.monotonic() - began),
      )
    except ValueError as error:
      # Our own kinds say what to do; another's is a bug, and wants its trace.
      if type(error).__module__.split('.')[0] not in ('hafjax', '__main__'):
        raise
      logging.debug('Details:', exc_info=True)
      logging.error('%s', error)
      sys.exit(1)

  logging.set_verbosity(logging.INFO)
  logging.get_absl_handler().addFilter(_is_ours_or_serious)
  if parse is None:
    app.run(main, flags_parser=_parsed_flags)
  else:
    app.run(main, flags_parser=lambda argv: parse(argv[1:]))
