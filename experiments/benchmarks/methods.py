# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
r"""What every method costs: compile time and step time beside cross-entropy's.

    python -m experiments.benchmarks.methods [--hierarchy=FILE] [--variants=A,B]

Whole training steps of the small ConvNet on 28 x 28 images, batch 64, with a
tree of 1,010 classes (random, or a file's). Steps of all variants take turns,
and the best of the rounds counts: ratios come from one run. The unit of the
last column is cross-entropy on features as wide as the method's own.
"""

import argparse
import time

import jax
import jax.numpy as jnp
import numpy as np

from configs import fashion_mnist
from experiments.benchmarks import frames as bench_frames
from experiments.benchmarks import timing
from hafjax import methods
from hafjax.data import Arrays
from hafjax.data import DataSet
from hafjax.hierarchy import load_hierarchy
from hafjax.runs import tables
from hafjax.runtime import compiler
from hafjax.train import step as step_lib
from hafjax.train.setup import Setup
from hafjax.train.state import initial_state

# Whose steps are the unit, by the top that a variant has.
BASELINES = {'transform': 'cross_entropy', 'pool': 'cross_entropy_type1'}
NODES = 1660  # Of which 1,010 or so are classes.
BATCH = 64
ROUNDS = 15


def random_data(tree) -> DataSet:
  """Random images of the size of Fashion-MNIST's, one batch of them."""
  rng = np.random.default_rng(0)
  arrays = Arrays(
    rng.integers(0, 256, (BATCH, 28, 28, 1), np.uint8),
    rng.integers(0, tree.num_classes, BATCH).astype(np.int32),
  )
  return DataSet(
    hierarchy=tree,
    distances=tree.distances(),
    kind='lca_height',
    splits=dict(train=arrays),
    image_shape=(28, 28, 1),
    mean=(0.5,),
    std=(0.5,),
    crop_padding=2,
    flip=True,
  )


def compiled_step(config, data):
  """A step of a config on its first state, and seconds of compilation."""
  setup = Setup.create(config, data)
  state = initial_state(setup)
  images, labels = map(
    jnp.asarray,
    (data.splits['train'].images, data.splits['train'].labels),
  )
  program = jax.jit(
    lambda state, images, labels: step_lib.train_step(
      state, images, labels, setup
    ),
    compiler_options=compiler.options(),
  )
  start = time.perf_counter()
  step = program.lower(state, images, labels).compile()
  seconds = time.perf_counter() - start
  return (lambda: step(state, images, labels)), seconds


COMPARED = [n for n, v in methods.variants().items() if v.is_compared]


def width(config, data):
  """Of the features that the config's method wants."""
  return Setup.create(config, data).method.feature_dim


def unit_of(config, data):
  """Cross-entropy on the same top and width."""
  unit = fashion_mnist.get_config(BASELINES[config.top])
  unit.feature_dim = width(config, data)
  return unit


def main():
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument('--hierarchy', help='a name or a file')
  parser.add_argument('--variants', default=','.join(COMPARED))
  args = parser.parse_args()
  if args.hierarchy:
    tree = load_hierarchy(args.hierarchy)
  else:
    tree = bench_frames.random_tree(NODES, height=7)
  data = random_data(tree)
  configs = {
    variant: fashion_mnist.get_config(variant)
    for variant in args.variants.split(',')
  }
  units = {
    (config.top, width(config, data)): unit_of(config, data)
    for config in configs.values()
  }
  compiled = {
    key: compiled_step(config, data)
    for key, config in (configs | units).items()
  }
  steps = [step for step, _ in compiled.values()]
  best = dict(zip(compiled, timing.best_seconds(steps, ROUNDS), strict=True))
  rows = []
  for variant, config in configs.items():
    key = config.top, width(config, data)
    rows.append(
      [
        variant,
        config.top,
        f'{key[1]:,}',
        f'{compiled[variant][1]:.1f}',
        f'{1000 * best[variant]:.2f}',
        f'{best[variant] / best[key]:.2f}',
      ]
    )
  print(f'{tree}')
  print(
    tables.markdown_table(
      'method,top,width,compile s,step ms,step / cross-entropy'.split(','), rows
    )
  )


if __name__ == '__main__':
  main()
