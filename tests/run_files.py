# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""All that a run leaves, written without training."""

import json

import numpy as np

from hafjax import frames
from hafjax.hierarchy import load_hierarchy

TREE = load_hierarchy('fashion_mnist')


def metrics_of(labels, predictions, tree):
  heights = tree.distances()[labels, predictions]
  wrong = heights > 0
  return {
    'loss': 0.5,
    'top1': float(1 - wrong.mean()),
    'top5': 0.99,
    'mistake_severity': float(heights[wrong].mean()) if wrong.any() else 0.0,
    'hier_dist@1': float(heights.mean()),
    'ece': 0.03,
  }


def epochs_of(count, rng, **values):
  """Lines of JSON, in which values fall towards zero."""
  return ''.join(
    json.dumps(
      {'step': 10 * epoch, 'epoch': float(epoch)}
      | {
        key: value
        if isinstance(value, str)
        else value / epoch + 0.02 * rng.random()
        for key, value in values.items()
      }
    )
    + '\n'
    for epoch in range(1, count + 1)
  )


def make_run(
  folder, variant, seed, tree=TREE, per_class=6, without=(), **config
):
  """Writes all the files of a run, but for some; returns its predictions."""
  rng = np.random.default_rng([seed, *variant.encode()])
  num_classes = tree.num_classes
  labels = np.repeat(np.arange(num_classes), per_class).astype(np.int32)
  guesses = rng.integers(0, num_classes, len(labels))
  predictions = np.where(rng.random(len(labels)) < 0.7, labels, guesses)
  predictions = predictions.astype(np.int32)
  heights = tree.distances()[labels, predictions]
  severe = np.argsort(-heights, kind='stable')[: min(20, (heights > 0).sum())]
  frame = frames.haframe(tree, 2.0, seed=seed)
  arrays = dict(
    labels=labels,
    predictions=predictions,
    confidences=rng.random(len(labels)).astype(np.float32),
    class_means=frame + 0.03 * rng.standard_normal(frame.shape),
    severe=severe.astype(np.int32),
    severe_images=rng.integers(
      0, 256, (len(severe), 8, 8, 1 + 2 * (seed % 2))
    ).astype(np.uint8),
  )
  if variant != 'cross_entropy':
    arrays['frame'] = frame
  found = metrics_of(labels, predictions, tree)
  files = {
    'run.json': json.dumps(
      dict(
        config=dict(
          variant=variant,
          seed=seed,
          dataset='synthetic',
          method=dict(name=variant),
          num_epochs=4,
        )
        | config,
        classes=tree.paths(sep='\t'),
      )
    ),
    'results.json': json.dumps(
      dict(method=variant, variant=variant, seed=seed, test=found, val=found)
    ),
    'metrics.jsonl': epochs_of(
      4, rng, train_loss=2.0, val_top1=0.5, val_mistake_severity=1.5
    ),
    'collapse.jsonl': epochs_of(
      4,
      rng,
      split='train',
      layer='features',
      nc1=3.0,
      nc1_svd=3.0,
      deviation_mean=0.3,
      self_duality=0.9,
    ),
  }
  folder.mkdir(parents=True)
  for name in files.keys() - set(without):
    (folder / name).write_text(files[name])
  if 'predictions.npz' not in without:
    np.savez(folder / 'predictions.npz', **arrays)
  return arrays
