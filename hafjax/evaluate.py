# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
r"""Measures scores of any framework, or runs of ours again.

    python -m hafjax.evaluate --scores=FILE.npz --hierarchy=NAME_OR_FILE

prints every metric of the arrays `scores` [N, K] (logits, or probabilities) and
`labels` [N] in the file; columns and labels follow the hierarchy's classes.
--output=FILE.json keeps the figures.

    python -m hafjax.evaluate --workdir=DIR[,DIR...] [--rules=crm,selective]

measures runs that are done (or folders of runs), each by its best checkpoint:
metrics of validation and test split, and inference rules, in results.json;
predictions.npz, for the report; and neural collapse at every checkpoint, in
collapse.jsonl (--layers, --splits).
"""

import argparse
import pathlib

from absl import logging
from absl.flags import argparse_flags

from hafjax import hierarchy
from hafjax.cli import runner
from hafjax.errors import UserError
from hafjax.files import jsonl
from hafjax.metrics.scores_file import evaluate_scores
from hafjax.runs import tables
from hafjax.train.rerun import evaluate_run
from hafjax.train.rerun import runs_in


def _table(values: dict[str, float]) -> str:
  """A table of metrics with a row each."""
  rows = [[name, f'{value:.4f}'] for name, value in values.items()]
  return tables.markdown_table(['metric', 'value'], rows)


def parse(argv: list[str]) -> argparse.Namespace:
  """The command line, without the program, as arguments."""
  parser = argparse_flags.ArgumentParser(
    prog='python -m hafjax.evaluate',
    description=__doc__,
    formatter_class=argparse.RawDescriptionHelpFormatter,
  )

  def names(value):
    return tuple(value.split(','))

  def splits(value):
    if not {*names(value)} <= {'train', 'val', 'test'}:
      raise argparse.ArgumentTypeError("splits are 'train', 'val' and 'test'")
    return names(value)

  def ks(value):
    return tuple(int(k) for k in names(value))

  what = parser.add_mutually_exclusive_group(required=True)
  what.add_argument(
    '--scores', help="an .npz file with the arrays 'scores' and 'labels'"
  )
  what.add_argument('--workdir', type=names, help='runs, or folders of runs')
  parser.add_argument(
    '--hierarchy',
    help="a built-in name or a file; of runs, by default their data set's",
  )
  parser.add_argument(
    '--distance',
    choices=hierarchy.KINDS,
    default='lca_height',
    help='between classes, for --scores (default: %(default)s)',
  )
  parser.add_argument(
    '--scores_are',
    choices=('auto', 'logits', 'probabilities'),
    default='auto',
    help='what they are; told from their sums by default',
  )
  parser.add_argument('--output', help='a .json file to write, for --scores')
  parser.add_argument('--data_dir', help="where the runs' data is now")
  parser.add_argument(
    '--rules',
    type=names,
    default=(),
    help='inference rules to add, by commas: crm,hie,selective',
  )
  parser.add_argument(
    '--ks', type=ks, help='ranks of top-k accuracy and the like, by commas'
  )
  parser.add_argument(
    '--layers',
    type=names,
    default=('features',),
    help='that collapse is measured at (default: features)',
  )
  parser.add_argument(
    '--splits',
    type=splits,
    default=('train',),
    help='that collapse is measured on (default: train)',
  )
  return parser.parse_args(argv)


def main(args: argparse.Namespace):
  """What the command line asks for."""
  if args.scores:
    if not args.hierarchy:
      raise UserError(
        '--scores needs --hierarchy: a built-in name '
        f'({", ".join(hierarchy.builtin_names())}) or a file.'
      )
    values = evaluate_scores(
      args.scores, args.hierarchy, args.distance, args.scores_are
    )
    print(_table(values))
    if args.output:
      try:
        jsonl.write_json(pathlib.Path(args.output), values)
      except OSError as error:
        raise UserError(f'{args.output}: {error.strerror}.') from error
    return
  changes = {
    field: getattr(args, field)
    for field in ('hierarchy', 'data_dir', 'ks')
    if getattr(args, field) is not None
  }
  folders = runs_in(args.workdir)
  results = []
  for number, folder in enumerate(folders, 1):
    logging.info('Run %d of %d: %s.', number, len(folders), folder)
    results.append(
      evaluate_run(
        folder,
        layers=args.layers,
        splits=args.splits,
        rules=args.rules,
        **changes,
      )
    )
  print(tables.results_table(results))


if __name__ == '__main__':
  runner.run(main, parse)
