# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Describes, converts and builds class hierarchies.

    python -m hafjax.hierarchy FILE [--all]
    python -m hafjax.hierarchy FILE --output=OTHER.json
    python -m hafjax.hierarchy build fgvc_aircraft FOLDER OUT.txt

FILE may be the name of a hierarchy that comes with hafjax. `build --help` lists
the builders.
"""

import argparse
from collections.abc import Sequence
import os
import pathlib
import sys

from hafjax.hierarchy import builders
from hafjax.hierarchy import checks
from hafjax.hierarchy import description
from hafjax.hierarchy import tree
from hafjax.hierarchy.formats import registry


def main(argv: Sequence[str] | None = None) -> int:
  """Prints the summary of a hierarchy, or writes one; returns the exit status.

  Args:
    argv: the command line, without the program; by default the process's own.
  """
  argv = sys.argv[1:] if argv is None else list(argv)
  try:
    if argv[:1] == ['build']:
      _build(argv[1:])
    else:
      _describe(argv)
    sys.stdout.flush()
  except checks.HierarchyError as error:
    print(error, file=sys.stderr)
    return 1
  except BrokenPipeError:
    # The reader, such as `head`, has seen enough; Python complains at exit.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
  return 0


def _describe(argv: Sequence[str]) -> None:
  parser = argparse.ArgumentParser(
    prog='python -m hafjax.hierarchy',
    description=__doc__,
    formatter_class=argparse.RawDescriptionHelpFormatter,
  )
  parser.add_argument(
    'hierarchy',
    metavar='FILE',
    help=f'a file, or one of {", ".join(registry.builtin_names())}',
  )
  parser.add_argument(
    '--format',
    metavar='FORMAT',
    help=f'of FILE, one of {", ".join(registry.FORMATS)} (default: by suffix)',
  )
  parser.add_argument('--all', action='store_true', help='list all nodes')
  parser.add_argument(
    '--output',
    metavar='OTHER',
    help='write the hierarchy there, in the format of its suffix, and print '
    'no tree',
  )
  args = parser.parse_args(argv)
  hierarchy = registry.load_hierarchy(args.hierarchy, args.format)
  if args.output is not None:
    _write(hierarchy, args.output)
    return
  for line in description.summary(hierarchy, args.all):
    print(line)


def _write(hierarchy: tree.Hierarchy, output: str) -> None:
  registry.save_hierarchy(hierarchy, output)
  print(
    f'Written: {output} ({hierarchy.num_classes:,} classes, '
    f'{hierarchy.num_nodes:,} nodes, height {hierarchy.height:,}).'
  )
  for sentence in description.problems(hierarchy):
    print(f'- {sentence}')


# --- Builders ----------------------------------------------------------------


def _build(argv: Sequence[str]) -> None:
  parser = argparse.ArgumentParser(
    prog='python -m hafjax.hierarchy build',
    description='Builds a hierarchy from the annotations of a data set.',
  )
  commands = parser.add_subparsers(
    metavar='BUILDER', required=True, dest='builder'
  )
  _add_data_sets(commands)
  _add_columns(commands)
  _add_wordnet(commands)
  args = parser.parse_args(argv)
  _write(args.build(args), args.output)


def _add(commands, name, source, what, build) -> argparse.ArgumentParser:
  """Adds a builder: a function of the arguments that makes a hierarchy."""
  suffixes = [s for form in registry.FORMATS.values() for s in form.suffixes]
  command = commands.add_parser(name, help=what, description=f'{what}.')
  command.add_argument('source', metavar=source)
  command.add_argument(
    'output', metavar='OUT', help=f'where to write: {", ".join(suffixes)}'
  )
  command.set_defaults(build=build)
  return command


def _add_data_sets(commands) -> None:
  _add(
    commands,
    'fgvc_aircraft',
    'FOLDER',
    'FGVC-Aircraft, from the folder with variants.txt',
    lambda args: builders.from_fgvc_aircraft(args.source),
  )
  _add(
    commands,
    'inaturalist19',
    'FILE',
    'iNaturalist 2019, from its categories.json',
    lambda args: builders.from_inaturalist19(args.source),
  )
  command = _add(
    commands,
    'inaturalist21',
    'NAMES',
    'iNaturalist 2021, from the folder of its classes, or a file of their '
    'names, one a line',
    lambda args: builders.from_inaturalist21(_names(args.source), args.tfds),
  )
  command.add_argument(
    '--tfds',
    action='store_true',
    help="call classes as TFDS does, 'lumbricus_terrestris'",
  )


def _add_columns(commands) -> None:
  command = _add(
    commands,
    'columns',
    'TABLE',
    'some columns of a .csv with a header',
    lambda args: builders.from_table(
      args.source, args.order.split(','), args.root or None
    ),
  )
  command.add_argument(
    '--order',
    metavar='A,B,...',
    required=True,
    help='columns from coarse to fine; the last is the class',
  )
  command.add_argument(
    '--root',
    default='root',
    help='what to put above the first column; empty for nothing '
    '(default: %(default)s)',
  )


def _add_wordnet(commands) -> None:
  command = _add(
    commands,
    'wordnet',
    'IDS',
    'WordNet, from a file of ids such as n02084071, one a line',
    lambda args: builders.from_wordnet(
      builders.read_names(args.source),
      args.edges,
      args.words,
      args.root,
      args.collapse,
    ),
  )
  command.add_argument(
    '--edges',
    metavar='FILE',
    help="'parent child' a line, such as wordnet.is_a.txt (default: NLTK's "
    'WordNet)',
  )
  command.add_argument(
    '--words', metavar='FILE', help='an id and its words a line'
  )
  command.add_argument(
    '--root', metavar='ID', help='count only parents below it'
  )
  command.add_argument(
    '--collapse',
    action='store_true',
    help='leave out inner nodes that have a single child',
  )


def _names(source: str) -> list[str]:
  """Names of the folders in a folder, sorted, or the lines of a file."""
  if not os.path.isdir(source):
    return builders.read_names(source)
  return sorted(path.name for path in pathlib.Path(source).iterdir())


if __name__ == '__main__':
  sys.exit(main())
