# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Arrays of `predictions.npz`: what reports show of a split."""

import numpy as np

from hafjax.train.collapse import FEATURES
from hafjax.train.collapse import CollapsePass
from hafjax.train.setup import Setup
from hafjax.train.state import TrainState

# Images of the worst mistakes that are kept.
NUM_SEVERE = 24


def predictions(
  collapse_pass: CollapsePass,
  state: TrainState,
  setup: Setup,
  split: str = 'test',
) -> dict[str, np.ndarray]:
  """Predictions of a state over a split, and what reports show with them.

  Returns:
    'labels' int32[N], 'predictions' int32[N], 'confidences' float32[N] (of the
    softmax of the scores), 'class_means' float32[K, d]; where class vectors are
    fixed, 'frame' float32[K, d], where a row a class is learned, 'weights'
    float32[K, d] and 'bias' float32[K]; 'severe' int32[M], the wrong
    predictions farthest from their labels, by confidence among equals; of
    images, 'severe_images' uint8[M, h, w, c].
  """
  examples = setup.data.splits[split]
  stats, predicted, confidences = collapse_pass.first_pass(state, split)
  distances = setup.data.distances[examples.labels, predicted]
  worst = np.lexsort((-confidences, -distances))[:NUM_SEVERE]
  severe = worst[predicted[worst] != examples.labels[worst]]
  arrays = dict(
    labels=examples.labels.astype(np.int32),
    predictions=predicted.astype(np.int32),
    confidences=confidences,
    class_means=np.asarray(stats[FEATURES].means),
    severe=severe.astype(np.int32),
  )
  classifier = collapse_pass.classifiers(state).get(FEATURES, {})
  for name, value in classifier.items():
    arrays[name] = value.astype(np.float32)
  if len(examples.example_shape) == 3:
    arrays['severe_images'] = examples.batch(severe)
  return arrays
