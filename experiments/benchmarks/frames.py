# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
r"""Frames against the number of classes: construction, logits, training steps.

    python -m experiments.benchmarks.frames [--hierarchies=DIR]

Prints five tables: time and peak memory of building frames of random trees (a
fresh process each); exact separation beside the published search of 100
eigendecompositions; logits and their gradient, a matrix product beside sums
down the tree; whole steps of a head on 128 channels with either frame; and
what refinement gains where there are half as many dimensions as classes. All
ratios come from one run, both sides taking turns, the best of repetitions.
"""

import argparse
import concurrent.futures
import multiprocessing
import pathlib
import time
import tracemalloc

import jax
import jax.numpy as jnp
import numpy as np

from experiments.benchmarks import timing
from hafjax import frames
from hafjax import losses
from hafjax.hierarchy import Hierarchy
from hafjax.hierarchy import builtin_names
from hafjax.hierarchy import load_hierarchy
from hafjax.models import heads
from hafjax.models import necks
from hafjax.runs import tables
from hafjax.runtime import compiler

GAMMA = 5.0
BATCH = 64
CHANNELS = 128
NODES = (100, 1_000, 10_000, 100_000, 1_000_000)
# A dense frame of more takes minutes (and memory, 8 K^2 bytes a matrix).
MOST_DENSE = 3_000
# The paper's, and what they are called in --hierarchies.
SEARCHED = {'cifar100': 2.0, 'fgvc_aircraft': 1.0, 'inaturalist19': 5.0}
# Name, gamma, kind of distances: of the last, the published one and ours.
REFINED = [
  *((name, gamma, 'lca_height') for name, gamma in SEARCHED.items()),
  ('tiered_imagenet_h', 3.0, 'lca_depth'),
  ('tiered_imagenet_h', 3.0, 'lca_height'),
]


def random_tree(num_nodes: int, height: int | None = None, seed: int = 0):
  """A tree whose levels grow geometrically, parents drawn at random.

  Its height is 4 for 100 nodes and 12 for a million, unless given.
  """
  rng = np.random.default_rng(seed)
  height = height or round(2 * np.log10(num_nodes))
  growth = np.arange(1, height + 1) / height
  sizes = np.maximum(np.round((0.6 * num_nodes) ** growth).astype(int), 1)
  sizes = np.concatenate([[1], sizes])
  parents, start = [np.array([-1])], 0
  for above, size in zip(sizes, sizes[1:], strict=False):
    # Every node has a child, so that all leaves are on the last level.
    drawn = rng.integers(0, above, max(size - above, 0))
    parents.append(start + np.concatenate([np.arange(above), drawn]))
    start += above
  parents = np.concatenate(parents)
  return Hierarchy.from_parents(
    parents, [str(node) for node in range(len(parents))]
  )


def measured(kind: str, num_nodes: int) -> tuple[int, float, float]:
  """Classes, seconds and peak memory (MiB) of one construction.

  Memory is what Python and NumPy allocate, the tree itself left out.
  """
  tree = random_tree(num_nodes)
  work = {
    'separation': lambda: frames.min_similarity(tree, GAMMA),
    'tree': lambda: frames.TreeFrame.create(tree, GAMMA),
    'dense': lambda: frames.haframe(tree, GAMMA),
  }[kind]
  start = time.perf_counter()
  work()
  seconds = time.perf_counter() - start
  # Once more for its memory: watching allocations costs time.
  tracemalloc.start()
  work()
  _, peak = tracemalloc.get_traced_memory()
  return tree.num_classes, seconds, peak / 2**20


def in_a_process(*arguments):
  context = multiprocessing.get_context('spawn')
  with concurrent.futures.ProcessPoolExecutor(1, context) as pool:
    return pool.submit(measured, *arguments).result()


def construction_row(num_nodes):
  cells = []
  for kind in ('separation', 'tree', 'dense'):
    if kind == 'dense' and num_nodes > MOST_DENSE:
      cells.append('-')
      continue
    classes, seconds, memory = in_a_process(kind, num_nodes)
    cells.append(f'{1000 * seconds:,.2f} ms, {memory:,.1f} MiB')
  return [f'{num_nodes:,}', f'{classes:,}', *cells]


def search_row(name, tree, gamma):
  distances = tree.distances()
  found = {}

  def separate(how, what):
    found[how] = frames.min_similarity(what, gamma, separation=how)

  # Once: the search is long, and shorter than its noise by nothing.
  start = time.perf_counter()
  separate('grid', distances)
  searched = time.perf_counter() - start
  (dense, exact) = timing.best_seconds(
    [lambda: separate('exact', distances), lambda: separate('exact', tree)]
  )
  return [
    name,
    f'{tree.num_classes:,}',
    f'{found["grid"]:.6f}',
    f'{found["exact"]:.6f}',
    f'{searched:.2f} s',
    f'{1000 * dense:.2f} ms',
    f'{1000 * exact:.3f} ms',
    f'{searched / exact:,.0f}',
  ]


def both_frames(num_nodes):
  """The tree's frame, and random unit rows in the place of the dense one."""
  tree = random_tree(num_nodes)
  classes = tree.num_classes
  rows = np.random.default_rng(0).standard_normal((classes, classes))
  rows /= np.linalg.norm(rows, axis=1, keepdims=True)
  # Rows cost the same whatever they are, and take no minutes to make.
  dense = frames.DenseFrame(jnp.asarray(rows, jnp.float32))
  return tree, dense, heads.to_float32(frames.TreeFrame.create(tree, GAMMA))


def logits_row(num_nodes):
  tree, *both = both_frames(num_nodes)
  cases = [
    (frame, jax.random.normal(jax.random.key(0), (BATCH, frame.dim)))
    for frame in both
  ]
  labels = jnp.arange(BATCH) % tree.num_classes

  def forward(frame, features):
    return frame.logits(features)

  def gradient(frame, features):
    def loss(features):
      return losses.haframe_loss(features, frame, labels, 0.4).sum()

    return jax.grad(loss)(features)

  seconds = []
  for function in (forward, gradient):
    programs = [jax.jit(function).lower(*case).compile() for case in cases]
    seconds += timing.best_seconds(
      [lambda p=p, c=c: p(*c) for p, c in zip(programs, cases, strict=True)]
    )
  return [
    f'{tree.num_classes:,}',
    f'{tree.num_nodes:,}',
    *(f'{1000 * s:.2f}' for s in seconds),
    f'{seconds[0] / seconds[1]:.2f}',
    f'{seconds[2] / seconds[3]:.2f}',
  ]


def step_row(top_name, num_nodes):
  tree, *both = both_frames(num_nodes)
  maps = jax.random.normal(jax.random.key(0), (BATCH, 1, 1, CHANNELS))
  labels = jnp.arange(BATCH) % tree.num_classes
  calls = []
  for frame in both:
    top, _ = necks.build(top_name, frame.dim, CHANNELS)
    state = top.init(jax.random.key(1), maps, train=False)

    def step(state, frame, top=top):
      def loss(params):
        features, _ = top.apply(
          {**state, 'params': params}, maps, train=True, mutable='batch_stats'
        )
        return losses.haframe_loss(features, frame, labels, 0.4).mean()

      return jax.grad(loss)(state['params'])

    program = jax.jit(step, compiler_options=compiler.options())
    calls.append(lambda p=program, s=state, f=frame: p(s, f))
  dense, tree_frame = timing.best_seconds(calls)
  return [
    top_name,
    f'{tree.num_classes:,}',
    f'{1000 * dense:.2f}',
    f'{1000 * tree_frame:.2f}',
    f'{dense / tree_frame:.2f}',
  ]


def refinement_row(name, tree, gamma, kind):
  """Errors of half as many dimensions as classes, before and after."""
  wanted = frames.similarity(tree, gamma, kind=kind)
  cells = [name, kind, f'{len(wanted):,}', f'{len(wanted) // 2:,}']
  for num_steps in (0, 500):
    start = time.perf_counter()
    frame = frames.low_dim_frame(wanted, len(wanted) // 2, num_steps=num_steps)
    seconds = time.perf_counter() - start
    error = frames.gram_error(frame, wanted)
    cells += [f'{error.relative:.3f}', f'{error.largest:.3f}']
  return [*cells, f'{seconds:.1f}']


def tell(heading, rows):
  print(tables.markdown_table(heading, list(rows)), flush=True)
  print(flush=True)


def main():
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument('--hierarchies', default='tests/reference/hierarchies')
  folder = pathlib.Path(parser.parse_args().hierarchies)
  tell(
    ['nodes', 'classes', 's*', 'tree frame', 'dense frame'],
    map(construction_row, NODES),
  )
  trees = {}
  for name in dict.fromkeys(name for name, *_ in REFINED):
    file = folder / f'{name}.txt'
    if file.exists() or name in builtin_names():
      source = file if file.exists() else name
      trees[name] = load_hierarchy(source)
  tell(
    'hierarchy,K,s searched,s exact,search,dense,tree,search / tree'.split(','),
    (
      search_row(name, tree, SEARCHED[name])
      for name, tree in trees.items()
      if name in SEARCHED
    ),
  )
  tell(
    [
      'classes',
      'nodes',
      'logits ms',
      'tree',
      'gradient ms',
      'tree',
      'ratio',
      'ratio',
    ],
    map(logits_row, (100, 300, 500, 1_000, 3_000, 10_000)),
  )
  tell(
    ['top', 'classes', 'dense, ms', 'tree, ms', 'ratio'],
    [
      step_row(top, nodes)
      for top, sizes in (
        ('linear', (100, 300, 500, 1_000, 3_000, 10_000)),
        ('transform', (100, 300, 1_000, 3_000)),
      )
      for nodes in sizes
    ],
  )
  tell(
    'hierarchy,distances,K,d,start,largest,refined,largest,s'.split(','),
    (
      refinement_row(name, trees[name], gamma, kind)
      for name, gamma, kind in REFINED
      if name in trees
    ),
  )


if __name__ == '__main__':
  main()
