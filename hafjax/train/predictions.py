# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Predictions of a split one by one, as the report reads them."""

import jax
import numpy as np

from hafjax.train.forward import FEATURES
from hafjax.train.forward import Batch
from hafjax.train.forward import ForwardPass
from hafjax.train.setup import TrainState

# Images that are kept of the worst mistakes.
NUM_SEVERE = 24


def predictions(
  network: ForwardPass, state: TrainState, split: str, batch_size: int
) -> dict[str, np.ndarray]:
  """The arrays of `PredictionPass`, in a pass of their own."""
  found = PredictionPass(network, state, split)
  for batch in network.batches(state, split, batch_size):
    found.add(batch)
  return found.arrays()


class PredictionPass:
  """Gathers what a report shows of a split, a batch at a time."""

  def __init__(self, network: ForwardPass, state: TrainState, split: str):
    self._network, self._state, self._split = network, state, split
    num_classes = network.data.hierarchy.num_classes
    width = network.shapes(state).features.shape[1]
    self._sums = network.devices.put(
      dict(
        features=np.zeros((num_classes, width), np.float32),
        counts=np.zeros(num_classes, np.float32),
      )
    )
    self._program = network.devices.compiled(
      _prediction_step, 'wsss', donated=(0,)
    )
    self._read = []

  def add(self, batch: Batch):
    """Reads the next batch of the split."""
    self._sums, *arrays = self._program(
      self._sums, batch.outputs, batch.labels, batch.mask
    )
    self._read.append([np.asarray(values) for values in arrays])

  def arrays(self) -> dict[str, np.ndarray]:
    """After the last batch.

    Returns:
      'labels' int32[N], 'predictions' int32[N], 'confidences' float32[N] (of
      the softmax of the scores), 'class_means' float32[K, d]; where class
      vectors are fixed, 'frame' float32[K, d], where a row a class is learned,
      'weights' float32[K, d] and 'bias' float32[K]; 'severe' int32[M], the
      wrong predictions farthest from their labels, by confidence among equals;
      of images, 'severe_images' uint8[M, h, w, c].
    """
    data, examples = self._network.data, self._network.data.splits[self._split]
    predictions, confidences = (
      np.concatenate(parts)[: len(examples)]
      for parts in zip(*self._read, strict=True)
    )
    distances = data.distances[examples.labels, predictions]
    worst = np.lexsort((-confidences, -distances))[:NUM_SEVERE]
    severe = worst[predictions[worst] != examples.labels[worst]]
    sums = {name: np.asarray(total) for name, total in self._sums.items()}
    means = sums['features'] / np.maximum(sums['counts'], 1)[:, None]
    arrays = dict(
      labels=examples.labels.astype(np.int32),
      predictions=predictions.astype(np.int32),
      confidences=confidences,
      class_means=means,
      severe=severe.astype(np.int32),
    )
    vectors = self._network.class_vectors(self._state).get(FEATURES, {})
    for name, value in vectors.items():
      arrays[name] = value.astype(np.float32)
    if len(examples.example_shape) == 3:
      arrays['severe_images'] = examples.batch(severe)
    return arrays


def _prediction_step(sums, outputs, labels, mask):
  """Sums of features by class, with a batch's; predictions, confidences."""
  scores, features = outputs.scores, outputs.features
  weight = mask.astype(features.dtype)
  sums = dict(
    features=sums['features'].at[labels].add(weight[:, None] * features),
    counts=sums['counts'].at[labels].add(weight),
  )
  confidences = jax.nn.softmax(scores).max(axis=1)
  return sums, scores.argmax(axis=1), confidences
