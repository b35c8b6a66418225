# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Outputs of a state's network over whole splits, for all that is measured."""

from collections.abc import Iterator, Sequence
import dataclasses

import flax
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int
import numpy as np

from hafjax import collapse
from hafjax import frames
from hafjax.data import DataSet
from hafjax.runtime import mesh
from hafjax.runtime.devices import Devices
from hafjax.train.setup import Experiment
from hafjax.train.setup import TrainState

# The layer whose output the head receives; others are the intermediates.
FEATURES = 'features'


@flax.struct.dataclass
class Outputs:
  """What is measured of a batch, float32.

  Attributes:
    scores: larger for likelier classes, [B, K].
    features: what the head receives, [B, d].
    loss: of each example, at the end of training, [B].
    layers: outputs of other layers by name, [B, width] each; of feature maps,
      the means over positions.
  """

  scores: Float[Array, 'b k']
  features: Float[Array, 'b d']
  loss: Float[Array, 'b']
  layers: dict[str, Float[Array, 'b w']]

  def at(self, layer: str) -> Float[Array, 'b w']:
    """Outputs of a layer by its name, FEATURES among them."""
    return self.features if layer == FEATURES else self.layers[layer]


@dataclasses.dataclass(frozen=True)
class Batch:
  """A batch of a split and its outputs, on the devices.

  Attributes:
    images: uint8[B, h, w, c] (or features, float[B, d]).
    labels: int[B].
    mask: which examples count, bool[B]; others fill up the last batch.
    outputs: of the network.
  """

  images: Array
  labels: Int[Array, 'b']
  mask: Bool[Array, 'b']
  outputs: Outputs


# --- Functions of arrays -----------------------------------------------------


def outputs_of(state: TrainState, images: jax.Array, experiment: Experiment):
  """The head's outputs for uint8 images, not training."""
  return experiment.network.apply(
    {'params': state.params, **state.variables},
    experiment.preprocess(images),
    train=False,
  )


def forward(
  state: TrainState,
  images: jax.Array,
  labels: jax.Array,
  experiment: Experiment,
  layers: Sequence[str] = (),
) -> Outputs:
  """What is measured of a batch.

  Args:
    state: whose weights and running statistics are used.
    images: uint8[B, h, w, c].
    labels: int[B].
    experiment: what stays fixed.
    layers: of `Outputs.layers`.
  """
  outputs, method = outputs_of(state, images, experiment), experiment.method
  return Outputs(
    scores=mesh.over_all(method.scores(outputs)),
    features=mesh.over_all(outputs['features']),
    # The loss as it is at the end of training, comparable between epochs.
    loss=method.loss(outputs, mesh.over_data(labels), 1.0),
    layers={name: _pooled(outputs['intermediates'][name]) for name in layers},
  )


def scores_of(
  state: TrainState, images: jax.Array, experiment: Experiment
) -> Float[Array, 'b k']:
  """The method's scores alone."""
  outputs = outputs_of(state, images, experiment)
  return mesh.over_all(experiment.method.scores(outputs))


def _pooled(maps):
  """Means over positions, [B, channels], of a feature map."""
  return maps.astype(jnp.float32).mean(axis=tuple(range(1, maps.ndim - 1)))


def layer_names(experiment: Experiment, image_shape) -> tuple[str, ...]:
  """Names of the layers that can be measured."""
  images = jnp.zeros((1, *image_shape), jnp.float32)
  outputs = jax.eval_shape(
    lambda: experiment.network.init_with_output(
      jax.random.key(0), images, train=False
    )[0]
  )
  return (FEATURES, *outputs['intermediates'])


def class_vectors(outputs, num_classes: int) -> dict[str, dict]:
  """See `ForwardPass.class_vectors`; `outputs` are a head's, of any images."""
  if 'frame' in outputs:
    frame = frames.as_frame(outputs['frame'])
    return {FEATURES: dict(frame=frame.rows(jnp.arange(num_classes)))}
  weights = {FEATURES: outputs.get('weights', ())}
  weights |= outputs.get('layer_weights', {})
  return {
    layer: dict(weights=matrix, bias=outputs['bias'])
    for layer, matrix in weights.items()
    if len(matrix) == num_classes
  }


# --- Over a split ------------------------------------------------------------


class ForwardPass:
  """The network, compiled once for whatever reads its outputs.

  Attributes:
    experiment: what stays fixed.
    data: its splits.
    devices: that it runs on.
  """

  def __init__(self, experiment: Experiment, data: DataSet, devices: Devices):
    self.experiment, self.data, self.devices = experiment, data, devices
    self._layout = devices.layout(experiment)
    self._programs = {}
    self._vectors = devices.compiled(self._class_vectors, 'l')

  def whole(self, state: TrainState) -> TrainState:
    """Inside of a compiled function, a stored state as the network sees it."""
    return self._layout.trimmed(state)

  def num_examples(self, split: str) -> int:
    return len(self.data.splits[split])

  def empty_statistics(self, width: int) -> collapse.ClassStatistics:
    """Statistics of no features of a width, on the devices."""
    num_classes = self.data.hierarchy.num_classes
    return self.devices.put(collapse.ClassStatistics.create(num_classes, width))

  def class_vectors(self, state: TrainState) -> dict[str, dict]:
    """What classifies at a layer, by its name, where it has a row a class.

    Returns:
      Layer -> dict(frame=[K, d]), where class vectors are fixed; or
      dict(weights=[K, width], bias=[K]). Float64, on the host.
    """
    vectors = self._vectors(state)
    return jax.tree.map(lambda x: np.asarray(x, np.float64), vectors)

  def _class_vectors(self, state):
    examples = self.data.splits['train']
    images = jnp.zeros((1, *examples.example_shape), examples.dtype)
    outputs = outputs_of(self.whole(state), images, self.experiment)
    return class_vectors(outputs, self.data.hierarchy.num_classes)

  def shapes(self, state: TrainState, layers: Sequence[str] = ()) -> Outputs:
    """Shapes of the outputs for one example."""
    examples = self.data.splits['train']
    return jax.eval_shape(
      lambda state, *batch: self._forward(state, *batch, layers),
      state,
      jax.ShapeDtypeStruct((1, *examples.example_shape), examples.dtype),
      jax.ShapeDtypeStruct((1,), jnp.int32),
    )

  def batches(
    self,
    state: TrainState,
    split: str,
    batch_size: int,
    layers: Sequence[str] = (),
  ) -> Iterator[Batch]:
    """Yields batches that cover a split, every example once.

    Args:
      state: on the devices.
      split: its name.
      batch_size: examples at once.
      layers: of `Outputs.layers`; FEATURES may be among them.
    """
    layers = tuple(layer for layer in layers if layer != FEATURES)
    if layers not in self._programs:

      def forward_step(state, images, labels):
        return self._forward(state, images, labels, layers)

      self._programs[layers] = self.devices.compiled(
        forward_step, 'lss', results=self.devices.split
      )
    program, ahead = self._programs[layers], None
    # The devices work on the next batch while the host reads this one.
    for images, labels, mask in self.devices.batches(split, batch_size):
      outputs = program(state, images, labels)
      batch, ahead = ahead, Batch(images, labels, mask, outputs)
      if batch is not None:
        yield batch
    if ahead is not None:
      yield ahead

  def _forward(self, state, images, labels, layers):
    return forward(self.whole(state), images, labels, self.experiment, layers)
