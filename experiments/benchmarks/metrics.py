# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
r"""All metrics of 10,000 x 1,010 scores, beside a loop over examples.

    python -m experiments.benchmarks.metrics [--hierarchy=FILE]

The loop is plain Python over the definitions, an example at a time, with sorted
lists and a table of distances, as evaluation scripts have it; NumPy loops take
an example's arrays at once. Both compute the same figures (checked), from which
it follows what the loops would take for all: they are timed on some examples
only. Prints seconds and ratios, from one run, best of three for ours.
"""

import argparse
import time

import numpy as np

from hafjax import metrics
from hafjax.hierarchy import Hierarchy
from hafjax.hierarchy import load_hierarchy
from hafjax.runs import tables as tables_lib

NUM_EXAMPLES = 10_000
# So many does a loop take in a few seconds.
SAMPLES = {'Python': 20, 'NumPy': 200}
KS = metrics.KS


def random_tree(num_classes=1_010, height=7, seed=0):
  """As large as iNaturalist-19's, where that file is not at hand."""
  rng = np.random.default_rng(seed)
  codes = np.sort(rng.integers(0, 4 ** (height - 1), num_classes))
  paths = [
    ['root']
    + [
      f'{level} {code // 4 ** (height - 1 - level)}'
      for level in range(1, height)
    ]
    + [f'class {i}']
    for i, code in enumerate(codes)
  ]
  return Hierarchy.from_paths(paths)


def weights_of(expected):
  """HOPS: weights of positions whose expected ranks are given."""
  last = expected[-1]
  found = []
  for t, q in enumerate(expected):
    if q == 0:
      found.append(1.0)
      continue
    first = expected.index(q)
    size = expected.count(q)
    start, end = 2.0**-q, 0.0 if q == last else 2.0 ** -(q + 1)
    found.append(start + (end - start) * (t - first) / size)
  return found


def python_loop(scores, labels, distances, paths, height):
  """hier_dist@k, top-k, mistake_severity, HOPS, FPA: sums over examples."""
  distances = distances.tolist()
  num_classes = len(distances)
  totals = dict.fromkeys(
    [f'{name}@{k}' for name in ('hier_dist', 'top', 'best') for k in KS], 0.0
  ) | dict(severity=0.0, mistakes=0, hops=0.0, full=0)
  tables = {}
  for row, label in zip(scores.tolist(), labels.tolist(), strict=True):
    ranked = sorted(range(num_classes), key=lambda c: -row[c])
    found = [distances[label][c] for c in ranked]
    for k in KS:
      totals[f'hier_dist@{k}'] += sum(found[:k]) / k
      totals[f'best@{k}'] += min(found[:k])
      totals[f'top@{k}'] += label in ranked[:k]
    if ranked[0] != label:
      totals['mistakes'] += 1
      totals['severity'] += found[0]
    if label not in tables:
      values = sorted(set(distances[label]))
      ranks = {d: i for i, d in enumerate(values)}
      expected = sorted(ranks[d] for d in distances[label])
      tables[label] = ranks, expected, weights_of(expected)
    ranks, expected, weights = tables[label]
    error = sum(
      w * abs(e - ranks[d])
      for w, e, d in zip(weights, expected, found, strict=True)
    )
    worst = sum(
      w * abs(e - f)
      for w, e, f in zip(weights, expected, expected[::-1], strict=True)
    )
    totals['hops'] += min(max(1 - error / worst, 0.0), 1.0)
    largest = max(row)
    probs = [np.exp(value - largest) for value in row]
    right = True
    for level in range(1, height + 1):
      sums = {}
      for c, p in enumerate(probs):
        node = paths[c][level]
        sums[node] = sums.get(node, 0.0) + p
      right &= max(sums, key=sums.get) == paths[label][level]
    totals['full'] += right
  return totals


def numpy_loop(scores, labels, distances, paths, height):
  """The same, with an example's arrays at a time."""
  totals = dict.fromkeys(
    [f'{name}@{k}' for name in ('hier_dist', 'top', 'best') for k in KS], 0.0
  ) | dict(severity=0.0, mistakes=0, hops=0.0, full=0)
  tables = {}
  for row, label in zip(scores, labels, strict=True):
    ranked = np.argsort(-row, kind='stable')
    found = distances[label, ranked]
    for k in KS:
      totals[f'hier_dist@{k}'] += found[:k].mean()
      totals[f'best@{k}'] += found[:k].min()
      totals[f'top@{k}'] += (ranked[:k] == label).any()
    if ranked[0] != label:
      totals['mistakes'] += 1
      totals['severity'] += found[0]
    if label not in tables:
      values, ranks = np.unique(distances[label], return_inverse=True)
      expected = np.sort(ranks)
      weights = np.array(weights_of(expected.tolist()))
      worst = np.sum(weights * np.abs(expected - expected[::-1]))
      tables[label] = ranks, expected, weights, worst
    ranks, expected, weights, worst = tables[label]
    error = np.sum(weights * np.abs(expected - ranks[ranked]))
    totals['hops'] += np.clip(1 - error / worst, 0, 1)
    probs = np.exp(row - row.max())
    right = True
    for level in range(1, height + 1):
      sums = np.bincount(paths[:, level], probs)
      right &= sums.argmax() == paths[label, level]
    totals['full'] += right
  return totals


def main():
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument('--hierarchy', help='a name or a file; random by default')
  args = parser.parse_args()
  tree = load_hierarchy(args.hierarchy) if args.hierarchy else random_tree()
  rng = np.random.default_rng(0)
  num_classes = tree.num_classes
  labels = rng.integers(0, num_classes, NUM_EXAMPLES)
  scores = rng.standard_normal((NUM_EXAMPLES, num_classes)).astype(np.float32)
  scores[np.arange(NUM_EXAMPLES), labels] += 3
  distances = tree.distances()
  paths = np.where(tree.path_table < 0, tree.leaves[:, None], tree.path_table)

  times = []
  for _ in range(4):  # The first one compiles.
    start = time.perf_counter()
    metrics.evaluate(scores, labels, tree)
    times.append(time.perf_counter() - start)
  ours = min(times[1:])
  rows = [
    ['ours, compiling', f'{times[0]:.2f} s', ''],
    ['ours', f'{ours:.2f} s', '1'],
  ]
  for name, loop in (('NumPy', numpy_loop), ('Python', python_loop)):
    part = slice(0, SAMPLES[name])
    start = time.perf_counter()
    totals = loop(
      scores[part],
      labels[part],
      distances,
      paths.tolist() if name == 'Python' else paths,
      tree.height,
    )
    seconds = time.perf_counter() - start
    check(totals, metrics.evaluate(scores[part], labels[part], tree), part.stop)
    whole = seconds * NUM_EXAMPLES / part.stop
    rows.append(
      [
        f'{name}, an example at a time',
        f'{whole:,.1f} s',
        f'{whole / ours:,.0f}',
      ]
    )
  print(
    tables_lib.markdown_table(
      [f'{NUM_EXAMPLES:,} x {num_classes:,}', 'time', 'beside ours'], rows
    )
  )


def check(totals, found, count):
  """That both have measured the same."""
  for k in KS:
    for ours, theirs in (
      (f'hier_dist@{k}', f'hier_dist@{k}'),
      (f'best_hier_dist@{k}', f'best@{k}'),
      (f'top{k}', f'top@{k}'),
    ):
      np.testing.assert_allclose(found[ours], totals[theirs] / count, rtol=1e-5)
  np.testing.assert_allclose(
    [found['mistake_severity'], found['hops'], found['full_path_accuracy']],
    [
      totals['severity'] / totals['mistakes'],
      totals['hops'] / count,
      totals['full'] / count,
    ],
    rtol=1e-4,
  )


if __name__ == '__main__':
  main()
