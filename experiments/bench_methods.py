# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
r"""What every method costs: compile time and step time beside cross-entropy's.

    python -m experiments.bench_methods [--hierarchy=FILE] [--variants=A,B]

Whole training steps of the small ConvNet on 28 x 28 images, batch 64, with a
tree of 1,010 classes (random, or a file's). Steps of all variants take turns,
and the best of the rounds counts: ratios come from one run.
"""

import argparse
import time

import jax
import jax.numpy as jnp
import numpy as np

from configs import common
from configs import fashion_mnist
from experiments import bench_frames
from hafjax import compilation
from hafjax import data as data_lib
from hafjax import hierarchy as hierarchy_lib
from hafjax import report
from hafjax import train

# Steps of these are the unit, by the top that a variant has.
BASELINES = {'transform': 'cross_entropy', 'pool': 'cross_entropy_type1'}
NODES = 1660  # Of which 1,010 or so are classes.
BATCH = 64
ROUNDS = 15


def random_data(tree) -> data_lib.DataSet:
  """Random images of the size of Fashion-MNIST's, one batch of them."""
  rng = np.random.default_rng(0)
  arrays = data_lib.Arrays(
    rng.integers(0, 256, (BATCH, 28, 28, 1), np.uint8),
    rng.integers(0, tree.num_classes, BATCH).astype(np.int32),
  )
  return data_lib.DataSet(
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


def compiled_step(variant, data):
  """A step of a variant, its first state, and seconds of compilation."""
  config = fashion_mnist.get_config(variant)
  experiment = train.make_experiment(config, data)
  state = train.initial_state(experiment, data.image_shape)
  images, labels = map(
    jnp.asarray,
    (data.splits['train'].images, data.splits['train'].labels),
  )
  program = jax.jit(
    lambda state, images, labels: train.train_step(
      state, images, labels, experiment
    ),
    compiler_options=compilation.options(),
  )
  start = time.perf_counter()
  step = program.lower(state, images, labels).compile()
  seconds = time.perf_counter() - start
  return (lambda: step(state, images, labels)), config.top, seconds


def main():
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument('--hierarchy', help='a name or a file')
  parser.add_argument('--variants', default=','.join(common.VARIANTS))
  args = parser.parse_args()
  if args.hierarchy:
    tree = hierarchy_lib.load_hierarchy(args.hierarchy)
  else:
    tree = bench_frames.random_tree(NODES, height=7)
  data = random_data(tree)
  variants = [*BASELINES.values(), *args.variants.split(',')]
  variants = list(dict.fromkeys(variants))
  steps, tops, compile_seconds = {}, {}, {}
  for variant in variants:
    steps[variant], tops[variant], compile_seconds[variant] = compiled_step(
      variant, data
    )
  best = dict(
    zip(
      variants,
      bench_frames.best_seconds(list(steps.values()), ROUNDS),
      strict=True,
    )
  )
  rows = []
  for variant in variants:
    unit = BASELINES.get(tops[variant], 'cross_entropy')
    rows.append(
      [
        variant,
        f'{compile_seconds[variant]:.1f}',
        f'{1000 * best[variant]:.2f}',
        f'{best[variant] / best[unit]:.2f}',
      ]
    )
  print(f'{tree}')
  print(
    report.markdown_table(
      ['method', 'compile, s', 'step, ms', 'step / cross-entropy'], rows
    )
  )


if __name__ == '__main__':
  main()
