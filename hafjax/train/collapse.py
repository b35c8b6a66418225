# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Neural collapse of a state over a split."""

from collections.abc import Iterator, Sequence
from typing import Any

from absl import logging
import jax
import jax.numpy as jnp
import numpy as np

from hafjax import collapse
from hafjax import frames
from hafjax.errors import UserError
from hafjax.models.outputs import HeadOutputs
from hafjax.train.evaluator import outputs_of
from hafjax.train.session import Session
from hafjax.train.setup import Setup
from hafjax.train.state import TrainState

# What the head receives; other layers are intermediates of the network.
FEATURES = 'features'

# Measures that are logged, of those that a record has.
_LOGGED = (
  'nc1',
  'nc2_etf',
  'deviation_mean',
  'self_duality',
  'predicted_nc3',
  'nc4',
)


class LayerError(UserError):
  """Unknown layer name; the message lists the valid ones."""


def layer_names(setup: Setup) -> tuple[str, ...]:
  """Names of the layers that collapse can be measured at."""
  images = jnp.zeros((1, *setup.data.image_shape), jnp.float32)
  outputs = jax.eval_shape(
    lambda: setup.network.init_with_output(
      jax.random.key(0), images, train=False
    )[0]
  )
  return (FEATURES, *outputs.intermediates)


def check_layers(layers: Sequence[str], setup: Setup):
  """Raises LayerError if there is no such layer."""
  known = layer_names(setup)
  unknown = [layer for layer in layers if layer not in known]
  if unknown:
    raise LayerError(
      f'config.collapse.layers has no layer {unknown[0]!r}; there are '
      f'{", ".join(known)}.'
    )


def layer_vectors(outputs: HeadOutputs, layer: str) -> jax.Array:
  """A layer's features, [B, d]: of maps, the means over positions."""
  if layer == FEATURES:
    return outputs.features
  values = outputs.intermediates[layer].astype(jnp.float32)
  return values.mean(axis=tuple(range(1, values.ndim - 1)))


class CollapsePass:
  """Compiled passes over a split that measure a state's collapse."""

  def __init__(self, session: Session):
    self._session = session
    devices = session.devices
    replicated, batch = devices.replicated, devices.batch
    batches = (None, batch, batch, batch)
    self._statistics = devices.compile(
      self._statistics_step, in_shardings=(replicated, *batches), donate=(0,)
    )
    self._agreement = devices.compile(
      self._agreement_step,
      in_shardings=(replicated, *batches, replicated),
      donate=(0,),
    )

  def _outputs(self, state, images) -> HeadOutputs:
    state = self._session.layout.trimmed(state)
    return outputs_of(state, images, self._session.setup)

  def _batches(self, split: str) -> Iterator:
    config = self._session.setup.config
    return self._session.feed.batches(split, config.eval_batch_size)

  def _statistics_step(self, stats, state, images, labels, mask):
    outputs = self._outputs(state, images)
    scores = self._session.setup.method.scores(outputs)
    stats = {
      layer: of_layer.update(layer_vectors(outputs, layer), labels, mask)
      for layer, of_layer in stats.items()
    }
    return stats, scores.argmax(axis=1), jax.nn.softmax(scores).max(axis=1)

  def _agreement_step(self, agreeing, state, images, labels, mask, means):
    """Counts predictions that are the nearest class mean, by layer."""
    del labels
    outputs = self._outputs(state, images)
    scores = self._session.setup.method.scores(outputs)
    counts = {}
    for layer, count in agreeing.items():
      vectors = layer_vectors(outputs, layer)
      nearest = collapse.nc4(scores.argmax(axis=1), vectors, *means[layer])
      counts[layer] = count + jnp.sum(nearest & mask)
    return counts

  def first_pass(
    self, state: TrainState, split: str, layers: Sequence[str] = (FEATURES,)
  ) -> tuple[dict[str, collapse.ClassStatistics], np.ndarray, np.ndarray]:
    """Statistics of each layer; predictions int[N]; confidences float[N]."""
    data = self._session.setup.data
    examples = data.splits[split]
    images = jax.ShapeDtypeStruct((1, *examples.example_shape), examples.dtype)
    shapes = jax.eval_shape(
      lambda state, images: {
        layer: layer_vectors(self._outputs(state, images), layer)
        for layer in layers
      },
      state,
      images,
    )
    stats = {
      layer: collapse.ClassStatistics.create(
        data.hierarchy.num_classes, shape.shape[1]
      )
      for layer, shape in shapes.items()
    }
    stats, parts = self._session.devices.put(stats), []
    for batch in self._batches(split):
      stats, *values = self._statistics(stats, state, *batch)
      parts.append([np.asarray(part) for part in values])
    predictions, confidences = (
      np.concatenate(part)[: len(examples)] for part in zip(*parts, strict=True)
    )
    return stats, predictions, confidences

  def statistics(
    self, state: TrainState, split: str, layers: Sequence[str] = (FEATURES,)
  ) -> dict[str, collapse.ClassStatistics]:
    """Class statistics of each layer over a split; float64 on the host."""
    stats, *_ = self.first_pass(state, split, layers)
    return {
      name: of_layer.astype(np.float64) for name, of_layer in stats.items()
    }

  def measure(
    self, state: TrainState, split: str, layers: Sequence[str] = (FEATURES,)
  ) -> list[dict[str, Any]]:
    """Measures of collapse, a dict a layer; see `collapse.summary`.

    Two passes: statistics, then agreement with the nearest class means.

    Returns:
      Also 'split', 'layer' and 'nc4' in each.
    """
    devices, setup = self._session.devices, self._session.setup
    stats, *_ = self.first_pass(state, split, layers)
    means = {
      layer: (of_layer.means, of_layer.counts > 0)
      for layer, of_layer in stats.items()
    }
    agreeing = devices.put(dict.fromkeys(layers, np.int32(0)))
    for batch in self._batches(split):
      agreeing = self._agreement(agreeing, state, *batch, means)
    classifiers = self.classifiers(state)
    return [
      dict(
        split=split,
        layer=layer,
        **collapse.summary(
          stats[layer].astype(np.float64),
          **classifiers.get(layer, {}),
          predicted=setup.method.predicted.get(layer),
        ),
        nc4=float(agreeing[layer]) / len(setup.data.splits[split]),
      )
      for layer in layers
    ]

  def classifiers(self, state: TrainState) -> dict[str, dict]:
    """What classifies at each layer, with a row a class; float64.

    Returns:
      Layer -> 'frame' [K, d], or 'weights' [K, d] and 'bias' [K].
    """
    data = self._session.setup.data
    num_classes = data.hierarchy.num_classes

    def rows(state):
      examples = data.splits['train']
      images = jnp.zeros((1, *examples.example_shape), examples.dtype)
      outputs = self._outputs(state, images)
      if outputs.frame is not None:
        frame = frames.as_frame(outputs.frame)
        return {FEATURES: dict(frame=frame.rows(jnp.arange(num_classes)))}
      return {
        layer: dict(weights=classifier.weights, bias=classifier.bias)
        for layer, classifier in outputs.classifiers.items()
      }

    program = self._session.devices.compile(rows, in_shardings=(None,))
    return jax.tree.map(lambda x: np.asarray(x, np.float64), program(state))


def collapse_records(
  collapse_pass: CollapsePass, state: TrainState, setup: Setup
) -> list[dict[str, Any]]:
  """Measures of a state's collapse as the config asks for, for the log."""
  config, step = setup.config, int(state.step)
  epoch = step * config.batch_size / len(setup.data.splits['train'])
  records = []
  for split in config.collapse.splits:
    measured = collapse_pass.measure(state, split, config.collapse.layers)
    for values in measured:
      record = dict(step=step, epoch=round(epoch, 3), **values)
      records.append(record)
      logging.info(
        'collapse of %s on %s: %s',
        record['layer'],
        split,
        ', '.join(
          f'{name} {record[name]:.4g}' for name in _LOGGED if name in record
        ),
      )
  return records
