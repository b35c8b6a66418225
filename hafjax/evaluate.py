# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
r"""Measures scores of any framework, or runs of ours again.

    python -m hafjax.evaluate --scores=FILE.npz --hierarchy=NAME_OR_FILE

prints every metric of the arrays `scores` [N, K] (logits, or probabilities) and
`labels` [N] in the file; columns and labels follow the hierarchy's classes.
--output=FILE.json keeps the figures.

    python -m hafjax.evaluate --workdir=DIR[,DIR...] [--layers=features,level3]

measures runs that are done (or folders of runs), each by its best checkpoint:
metrics of validation and test split, in results.json; predictions.npz, for the
report; and neural collapse at every checkpoint that is there, in
collapse.jsonl.
"""

import argparse
import pathlib

from absl import logging
from absl.flags import argparse_flags
import jax

from hafjax import metrics
from hafjax.cli import runner
from hafjax.data import load_dataset
from hafjax.hierarchy import KINDS
from hafjax.hierarchy import builtin_names
from hafjax.metrics.scores_file import EvaluationError
from hafjax.metrics.scores_file import evaluate_scores
from hafjax.runs import checkpoints
from hafjax.runs import tables
from hafjax.runtime.devices import Devices
from hafjax.train.collapse import CollapsePass
from hafjax.train.collapse import check_layers
from hafjax.train.evaluator import Evaluator
from hafjax.train.run import collapse_records
from hafjax.train.run import recorded_config
from hafjax.train.setup import make_experiment

# --- Runs of ours -------------------------------------------------------------


def runs_in(folders) -> list[pathlib.Path]:
  """Folders of runs that are done, in and below the given ones."""
  found = {}
  for folder in folders:
    files = sorted(pathlib.Path(folder).rglob('results.json'))
    if not files:
      raise EvaluationError(
        f'{folder} holds no run that is done: results.json is missing.'
      )
    found |= {file.parent.resolve(): None for file in files}
  return list(found)


def evaluate_run(
  folder: pathlib.Path,
  layers=('features',),
  splits=('train',),
  **changes,
) -> dict:
  """Measures a run again; see above.

  Args:
    folder: of a run that is done.
    layers: that collapse is measured at.
    splits: that it is measured on.
    **changes: fields of the config, `data_dir` and `hierarchy`.

  Returns:
    What results.json holds now.

  Raises:
    ValueError: of the kind of what cannot be had.
  """
  config = recorded_config(
    folder,
    collapse=dict(every=1, splits=splits, layers=layers),
    **changes,
  )
  config.ks = sorted({*config.ks, *metrics.KS})
  data = load_dataset(config)
  experiment = make_experiment(config, data)
  check_layers(layers, experiment, data.image_shape)
  run = checkpoints.Workdir(
    folder, checkpoints.describe(config, data), create=False
  )
  try:
    device = Devices(data)
    # Any multiple of the devices: batches are filled up.
    count = jax.device_count()
    batch_size = -(-config.get('eval_batch_size', 500) // count) * count
    evaluator = Evaluator(experiment, data, device)
    geometry = CollapsePass(
      experiment, data, device, batch_size, evaluator.network
    )
    state = device.abstract_state(experiment)
    records = []
    for step in run.steps():
      restored = run.restore(step, state)
      records += collapse_records(geometry, restored, config)

    def key(record):
      # Of before there were others.
      split, layer = record.get('split', 'train'), record.get('layer')
      return record['step'], split, layer or 'features'

    # What training has logged of other steps stays.
    new = list(map(key, records))
    records += [r for r in run.history('collapse') if key(r) not in new]
    run.rewrite(sorted(records, key=lambda r: r['step']), 'collapse')
    results = run.results() | dict(distance=data.kind)
    best = run.restore(results['best_step'], state)
    results['val'] = evaluator.evaluate(best, 'val', batch_size)
    results['test'], arrays = evaluator.evaluate_and_predict(
      best, 'test', batch_size
    )
    run.save_arrays(arrays, 'predictions')
    run.finish(results)
    return results
  finally:
    run.close()


# --- The command --------------------------------------------------------------


def _lines(found: dict[str, float]) -> str:
  """A table of metrics with a row each."""
  rows = [[name, f'{value:.4f}'] for name, value in found.items()]
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
    choices=KINDS,
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
      raise EvaluationError(
        '--scores needs --hierarchy: a built-in name '
        f'({", ".join(builtin_names())}) or a file.'
      )
    found = evaluate_scores(
      args.scores, args.hierarchy, args.distance, args.scores_are
    )
    print(_lines(found))
    if args.output:
      try:
        checkpoints.write_json(pathlib.Path(args.output), found)
      except OSError as error:
        raise EvaluationError(f'{args.output}: {error.strerror}.') from error
    return
  changes = {
    field: getattr(args, field)
    for field in ('hierarchy', 'data_dir')
    if getattr(args, field) is not None
  }
  folders = runs_in(args.workdir)
  results = []
  for number, folder in enumerate(folders, 1):
    logging.info('Run %d of %d: %s.', number, len(folders), folder)
    results.append(evaluate_run(folder, args.layers, args.splits, **changes))
  print(tables.results_table(results))


if __name__ == '__main__':
  runner.run(main, parse)
