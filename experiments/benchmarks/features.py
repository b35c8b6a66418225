# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
r"""How long a head takes to train on frozen features, files and all.

    python -m experiments.benchmarks.features [--classes=1000 --dim=768]

Writes synthetic features of a random tree into a temporary folder, 90 of each
class to train, 5 to validate and 5 to test, and trains on them as
configs/features.py has it.
"""

import argparse
import pathlib
import tempfile
import time

from absl import logging
from absl.flags import argparse_flags
import numpy as np

from configs import features as features_config
from hafjax.cli import runner
from hafjax.hierarchy import Hierarchy
from hafjax.hierarchy import save_hierarchy
from hafjax.train.run import train_and_evaluate

_COUNTS = dict(train=90, val=5, test=5)
_BRANCHES = 10


def write(folder: pathlib.Path, classes: int, dim: int) -> str:
  """Features around class means that follow the tree; the tree's file."""
  numbers = np.arange(classes)
  paths = [f'root/{n // _BRANCHES**2}/{n // _BRANCHES}/{n}' for n in numbers]
  tree = Hierarchy.from_paths(paths)
  file = folder / 'tree.txt'
  save_hierarchy(tree, file)
  rng = np.random.default_rng(0)
  nodes = rng.standard_normal((tree.num_nodes, dim))
  means = (tree.ancestor_matrix() @ nodes).astype(np.float32)
  for split, count in _COUNTS.items():
    labels = rng.permutation(np.repeat(numbers, count))
    noise = rng.standard_normal((len(labels), dim), np.float32)
    # So that some of the test split are mistaken.
    features = means[labels] + 8 * noise
    np.savez(folder / f'{split}.npz', features=features, labels=labels)
  return str(file)


def parse(argv: list[str]) -> argparse.Namespace:
  """The command line, without the program, as arguments."""
  parser = argparse_flags.ArgumentParser(
    prog='python -m experiments.benchmarks.features'
  )
  parser.add_argument('--classes', type=int, default=1000)
  parser.add_argument('--dim', type=int, default=768)
  parser.add_argument('--variant', default='haframe', help='of the method')
  return parser.parse_args(argv)


def main(args: argparse.Namespace):
  with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    config = features_config.get_config(args.variant)
    config.data_dir = name
    config.hierarchy = write(folder, args.classes, args.dim)
    began = time.monotonic()
    found = train_and_evaluate(config, folder / 'run')
    logging.info(
      '%s on %d x %d features of %d classes: %d epochs in %.0f s, top-1 %.3f.',
      args.variant,
      sum(_COUNTS.values()) * args.classes,
      args.dim,
      args.classes,
      config.num_epochs,
      time.monotonic() - began,
      found['test']['top1'],
    )


if __name__ == '__main__':
  runner.run(main, parse)
