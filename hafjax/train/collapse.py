# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Neural collapse of a state over a split."""

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np

from hafjax import collapse
from hafjax.collapse import ClassStatistics
from hafjax.data import DataSet
from hafjax.errors import UserError
from hafjax.runtime.devices import Devices
from hafjax.train.forward import FEATURES
from hafjax.train.forward import ForwardPass
from hafjax.train.forward import layer_names
from hafjax.train.setup import Experiment
from hafjax.train.setup import TrainState

# Outputs of a split of up to so much are kept on the devices for the second
# pass; of larger ones they are computed again.
_KEPT_BYTES = 2**30


class LayerError(UserError):
  """Unknown layer name; the message lists the valid ones."""


def check_layers(layers: Sequence[str], experiment: Experiment, image_shape):
  """Raises LayerError if there is no such layer."""
  known = layer_names(experiment, image_shape)
  unknown = [layer for layer in layers if layer not in known]
  if unknown:
    raise LayerError(
      f'config.collapse.layers has no layer {unknown[0]!r}; there are '
      f'{", ".join(known)}.'
    )


class CollapsePass:
  """Passes over a split, of states of an experiment."""

  def __init__(
    self,
    experiment: Experiment,
    data: DataSet,
    device: Devices,
    batch_size: int,
    network: ForwardPass | None = None,
  ):
    """Compiles nothing yet.

    Args:
      experiment: what stays fixed.
      data: its splits.
      device: that it runs on.
      batch_size: examples at once.
      network: that of an `Evaluator`, to share what it has compiled.
    """
    self._network = network or ForwardPass(experiment, data, device)
    self._batch_size = batch_size
    self._first = device.compiled(
      _first_step,
      'wssss',
      donated=(0,),
      results=(device.whole, device.split),
    )
    self._predict = device.compiled(_predictions, 's', results=device.split)
    self._second = device.compiled(_second_step, 'wwsss', donated=(0,))

  def num_examples(self, split: str) -> int:
    """Of a split."""
    return self._network.num_examples(split)

  def statistics(
    self, state: TrainState, split: str, layers: Sequence[str] = (FEATURES,)
  ) -> dict[str, ClassStatistics]:
    """Of each layer, over a whole split; float64 on the host."""
    stats = self._empty(state, layers)
    for vectors, scores, labels, mask in self._batches(state, split, layers):
      stats, _ = self._first(stats, vectors, scores, labels, mask)
    return {layer: one.astype(np.float64) for layer, one in stats.items()}

  def collapse(
    self, state: TrainState, split: str, layers: Sequence[str] = (FEATURES,)
  ) -> list[dict]:
    """Measures of collapse, a dict a layer: 'split', 'layer', `MEASURES`.

    Two passes: statistics, then agreement with the nearest class means.
    """
    stats, size = self._empty(state, layers), self.num_examples(split)
    width = sum(one.means.shape[1] for one in stats.values())
    is_kept, kept = 4 * size * width <= _KEPT_BYTES, []
    for vectors, scores, labels, mask in self._batches(state, split, layers):
      stats, predictions = self._first(stats, vectors, scores, labels, mask)
      if is_kept:
        kept.append((vectors, predictions, mask))
    means = {layer: (one.means, one.counts > 0) for layer, one in stats.items()}
    agree = self._network.devices.put(dict.fromkeys(layers, np.int32(0)))
    again = kept if is_kept else self._predicted(state, split, layers)
    for vectors, predictions, mask in again:
      agree = self._second(agree, means, vectors, predictions, mask)
    vectors = self._network.class_vectors(state)
    predicted = self._network.experiment.method.predicted
    return [
      dict(
        split=split,
        layer=layer,
        **collapse.summary(
          stats[layer].astype(np.float64),
          **vectors.get(layer, {}),
          prediction=predicted.get(layer),
        ),
        nc4=float(agree[layer]) / size,
      )
      for layer in layers
    ]

  def _empty(self, state, layers) -> dict[str, ClassStatistics]:
    """Statistics of no examples, by layer."""
    others = tuple(layer for layer in layers if layer != FEATURES)
    shapes = self._network.shapes(state, others)
    return {
      layer: self._network.empty_statistics(shapes.at(layer).shape[1])
      for layer in layers
    }

  def _batches(self, state, split, layers):
    """Yields vectors by layer, scores, labels and mask of batches."""
    size = self._batch_size
    for batch in self._network.batches(state, split, size, layers):
      vectors = {layer: batch.outputs.at(layer) for layer in layers}
      yield vectors, batch.outputs.scores, batch.labels, batch.mask

  def _predicted(self, state, split, layers):
    """Yields vectors by layer, predictions and mask of batches."""
    for vectors, scores, _, mask in self._batches(state, split, layers):
      yield vectors, self._predict(scores), mask


def _first_step(stats, vectors, scores, labels, mask):
  """Statistics updated with a batch, and its predictions."""
  stats = {
    layer: one.update(vectors[layer], labels, mask)
    for layer, one in stats.items()
  }
  return stats, _predictions(scores)


def _predictions(scores):
  return scores.argmax(axis=1)


def _second_step(agree, means, vectors, predictions, mask):
  """Counts of predictions that are the class of the nearest mean."""
  return {
    layer: count
    + jnp.sum(collapse.nc4(predictions, vectors[layer], *means[layer]) & mask)
    for layer, count in agree.items()
  }
