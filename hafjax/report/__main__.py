# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Makes a page of everything that runs have found.

    python -m hafjax.report WORKDIR... [--output=DIR]

A WORKDIR is a run's folder or any above runs, such as that of
`experiments.compare`. Writes DIR/report.html, a file that needs no other, and
its pictures as PNG and PDF into DIR/pictures/.
"""

import argparse
import logging as python_logging
import pathlib

from absl import logging
from absl.flags import argparse_flags

from hafjax.cli import runner
from hafjax.report import page
from hafjax.runs.find import ReportError
from hafjax.runs.find import find_runs


def parse(argv: list[str]) -> argparse.Namespace:
  """The command line, without the program, as arguments."""
  parser = argparse_flags.ArgumentParser(
    prog='python -m hafjax.report',
    description=__doc__,
    formatter_class=argparse.RawDescriptionHelpFormatter,
  )
  parser.add_argument(
    'workdirs', metavar='WORKDIR', nargs='+', type=pathlib.Path
  )
  parser.add_argument(
    '--output',
    metavar='DIR',
    type=pathlib.Path,
    help='where to write (default: the first WORKDIR)',
  )
  parser.add_argument(
    '--baseline',
    default='cross_entropy',
    help='variant that the others are compared with (default: %(default)s)',
  )
  parser.add_argument(
    '--split',
    choices=('test', 'val'),
    default='test',
    help='of the tables (default: %(default)s)',
  )
  return parser.parse_args(argv)


def main(args: argparse.Namespace):
  """Writes the report."""
  # It tells every step of putting fonts into PDFs.
  python_logging.getLogger('fontTools').setLevel(python_logging.WARNING)
  output = args.output or args.workdirs[0]
  runs = find_runs(args.workdirs)
  logging.info('Found %d runs that are done.', len(runs))
  try:
    file = page.write(runs, output, args.baseline, args.split)
  except OSError as error:
    raise ReportError(
      f'{error.filename or output}: {error.strerror}.'
    ) from error
  logging.info('Written: %s (%.1f MB).', file, file.stat().st_size / 1e6)


if __name__ == '__main__':
  runner.run(main, parse)
