# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Neural collapse of a state over a split, and its predictions one by one."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from hafjax import collapse
from hafjax import data as data_lib
from hafjax import device as device_lib
from hafjax import frames
from hafjax import measure
from hafjax.experiment import Experiment
from hafjax.experiment import TrainState

# What the head receives; others are the backbone's intermediates.
FEATURES = 'features'
# Images that are kept of the worst mistakes.
NUM_SEVERE = 24


class GeometryError(ValueError):
  """A layer that there is not; says which there are."""


def layer_names(experiment: Experiment, image_shape) -> tuple[str, ...]:
  """Names of the layers that collapse can be measured at."""
  images = jnp.zeros((1, *image_shape), jnp.float32)
  outputs = jax.eval_shape(
    lambda: experiment.network.init_with_output(
      jax.random.key(0), images, train=False
    )[0]
  )
  return (FEATURES, *outputs['intermediates'])


def check_layers(layers: Sequence[str], experiment: Experiment, image_shape):
  """Raises GeometryError if there is no such layer."""
  known = layer_names(experiment, image_shape)
  unknown = [layer for layer in layers if layer not in known]
  if unknown:
    raise GeometryError(
      f'config.collapse.layers has no layer {unknown[0]!r}; there are '
      f'{", ".join(known)}.'
    )


def _vectors(outputs: dict, layer: str):
  """A layer's features, [B, d]: of maps, the means over positions."""
  if layer == FEATURES:
    return outputs[FEATURES]
  found = outputs['intermediates'][layer].astype(jnp.float32)
  return found.mean(axis=tuple(range(1, found.ndim - 1)))


class Geometry:
  """Compiled passes over a split, of states of an experiment."""

  def __init__(
    self,
    experiment: Experiment,
    data: data_lib.DataSet,
    device: device_lib.Device,
    batch_size: int,
  ):
    self._experiment, self._data = experiment, data
    self._device, self._batch_size = device, batch_size
    self._update = device.compiled(self._statistics_step, 'wwwss', donated=(0,))
    self._read = device.compiled(self._prediction_step, 'wwwssw', donated=(0,))

  def num_examples(self, split: str) -> int:
    """Of a split."""
    return len(self._data.splits[split])

  def _outputs(self, state, images):
    return measure.outputs_of(state, images, self._experiment)

  def _statistics_step(self, stats, state, source, indices, mask):
    images, labels = self._device.gather(source, indices)
    outputs = self._outputs(state, images)
    return {
      layer: given.update(_vectors(outputs, layer), labels, mask)
      for layer, given in stats.items()
    }

  def statistics(
    self, state: TrainState, split: str, layers: Sequence[str] = (FEATURES,)
  ) -> dict[str, collapse.ClassStatistics]:
    """Of each layer, over a whole split; float64 on the host."""
    source = self._device.source(split)
    images = jax.ShapeDtypeStruct((1, *source[0].shape[1:]), source[0].dtype)
    shapes = jax.eval_shape(
      lambda state, images: {
        layer: _vectors(self._outputs(state, images), layer) for layer in layers
      },
      state,
      images,
    )
    num_classes = self._data.hierarchy.num_classes
    total = jax.device_put(
      {
        layer: collapse.ClassStatistics.create(num_classes, shape.shape[1])
        for layer, shape in shapes.items()
      },
      self._device.whole,
    )
    for indices, mask in self._device.batches(split, self._batch_size):
      total = self._update(total, state, source, indices, mask)
    return {layer: stats.astype(np.float64) for layer, stats in total.items()}

  def _prediction_step(self, found, state, source, indices, mask, means):
    images, labels = self._device.gather(source, indices)
    outputs = self._outputs(state, images)
    scores = self._experiment.method.scores(outputs)
    predictions = scores.argmax(axis=1)
    # What only fills up a batch is written nowhere.
    places = jnp.where(mask, indices, len(found['predictions']))
    new = dict(
      predictions=predictions,
      confidences=jax.nn.softmax(scores).max(axis=1),
      agree={
        layer: collapse.nc4(predictions, _vectors(outputs, layer), *given)
        for layer, given in means.items()
      },
    )
    return jax.tree.map(
      lambda old, new: old.at[places].set(new.astype(old.dtype), mode='drop'),
      found,
      new,
    )

  def _read_split(self, state, split, stats) -> dict:
    """Predictions, confidences and agreement with nearest means, [N] each."""
    size = self.num_examples(split)
    found = dict(
      predictions=np.zeros(size, np.int32),
      confidences=np.zeros(size, np.float32),
      agree={layer: np.zeros(size, bool) for layer in stats},
    )
    means = {
      layer: (stats.means.astype(np.float32), stats.counts > 0)
      for layer, stats in stats.items()
    }
    found, means = jax.device_put((found, means), self._device.whole)
    source = self._device.source(split)
    for indices, mask in self._device.batches(split, self._batch_size):
      found = self._read(found, state, source, indices, mask, means)
    return jax.tree.map(np.asarray, found)

  def collapse(
    self, state: TrainState, split: str, layers: Sequence[str] = (FEATURES,)
  ) -> list[dict]:
    """Measures of collapse, a dict a layer; see `measures_of`.

    Two passes: statistics, then agreement with the nearest class means.
    """
    stats = self.statistics(state, split, layers)
    read = self._read_split(state, split, stats)
    classifier = self._classifier(state)
    return [
      dict(
        split=split,
        layer=layer,
        **measures_of(
          stats[layer], **(classifier if layer == FEATURES else {})
        ),
        nc4=float(read['agree'][layer].mean()),
      )
      for layer in layers
    ]

  def _classifier(self, state) -> dict:
    """'frame', or 'weights' and 'bias', of a classifier with a row a class."""
    num_classes = self._data.hierarchy.num_classes

    def rows(state):
      images = jnp.zeros((1, *self._data.splits['train'].images.shape[1:]))
      outputs = self._outputs(state, images.astype(jnp.uint8))
      if 'frame' in outputs:
        frame = frames.as_frame(outputs['frame'])
        return dict(frame=frame.rows(jnp.arange(num_classes)))
      if 'weights' in outputs and len(outputs['weights']) == num_classes:
        return dict(weights=outputs['weights'], bias=outputs['bias'])
      return {}

    found = self._device.compiled(rows, 'w')(state)
    return jax.tree.map(lambda x: np.asarray(x, np.float64), found)

  def predictions(self, state: TrainState, split: str = 'test') -> dict:
    """What a report shows of a split, as arrays.

    Returns:
      'labels' int32[N], 'predictions' int32[N], 'confidences' float32[N] (of
      the softmax of the scores), 'class_means' float32[K, d]; where class
      vectors are fixed, 'frame' float32[K, d]; 'severe' int32[M], the wrong
      predictions farthest from their labels, by confidence among equals, and
      'severe_images' uint8[M, h, w, c].
    """
    arrays = self._data.splits[split]
    stats = self.statistics(state, split)[FEATURES]
    read = self._read_split(state, split, {})
    predictions, confidences = read['predictions'], read['confidences']
    distances = self._data.distances[arrays.labels, predictions]
    worst = np.lexsort((-confidences, -distances))[:NUM_SEVERE]
    severe = worst[predictions[worst] != arrays.labels[worst]]
    found = dict(
      labels=arrays.labels.astype(np.int32),
      predictions=predictions,
      confidences=confidences,
      class_means=stats.means.astype(np.float32),
      severe=severe.astype(np.int32),
      severe_images=arrays.images[severe],
    )
    classifier = self._classifier(state)
    if 'frame' in classifier:
      found['frame'] = classifier['frame'].astype(np.float32)
    return found


def measures_of(
  stats: collapse.ClassStatistics,
  frame: np.ndarray | None = None,
  weights: np.ndarray | None = None,
  bias: np.ndarray | float = 0.0,
) -> dict[str, float]:
  """Measures of collapse, as `collapse.jsonl` has them.

  Args:
    stats: of features, float64; classes without examples are left out.
    frame: fixed class vectors, [K, d], that features should collapse to; the
      target of angles, which is a simplex ETF without.
    weights: rows of a learned classifier, [K, d]; None for none.
    bias: its bias, [K].

  Returns:
    'nc1' (by pseudo-inverse), 'nc1_svd', 'nc1_quotient', 'nc1_cdnv';
    'nc2_etf' of centred class means, 'nc2_orthogonal' of class means, and
    'nc2_frame' of class means where there is a frame; 'nc3_etf' of rows and
    centred class means, 'nc3_frame' of rows and class means; 'deviation_mean'
    and 'deviation_std' of the angles of centred class means from the target,
    with 'raw_' of class means as they are, with 'classifier_' of the
    classifier's rows; 'self_duality' of rows and centred class means,
    'raw_self_duality' of rows and class means, 'bias_relation';
    'feature_norm_mean' and '_std'; 'class_norm_variation', the standard
    deviation of the lengths of centred class means over their mean. What is not
    finite, where class means coincide, is left out; {} if fewer than two
    classes have examples.
  """
  there = np.flatnonzero(stats.counts)
  if len(there) < 2:
    return {}
  rows = weights if frame is None else frame
  etf = frames.etf_similarity(len(there))
  # Where there is float64, which TPUs have not.
  host = jax.local_devices(backend='cpu')[0]
  with jax.enable_x64(True), jax.default_device(host):
    found = _measures(
      stats.present(),
      etf,
      None if frame is None else frame[there],
      None if rows is None else rows[there],
      bias[there] if np.ndim(bias) else bias,
    )
    found = {name: float(value) for name, value in found.items()}
  # JSON has no infinities.
  return {name: value for name, value in found.items() if np.isfinite(value)}


@jax.jit
def _measures(stats, etf, frame, rows, bias) -> dict[str, jax.Array]:
  centred = stats.means - stats.global_mean
  target = etf if frame is None else frame
  lengths = jnp.linalg.norm(centred, axis=1)
  found = dict(
    nc1=collapse.nc1(stats),
    nc1_svd=collapse.nc1(stats, 'svd'),
    nc1_quotient=collapse.nc1(stats, 'quotient'),
    nc1_cdnv=collapse.nc1(stats, 'cdnv'),
    nc2_etf=collapse.nc2(centred, etf),
    nc2_orthogonal=collapse.nc2(stats.means, jnp.eye(len(etf))),
    feature_norm_mean=stats.norm_mean,
    feature_norm_std=stats.norm_std,
    class_norm_variation=lengths.std() / lengths.mean(),
  )
  if frame is not None:
    found['nc2_frame'] = collapse.nc2(stats.means, frame @ frame.T)
  angles = {'': centred, 'raw_': stats.means}
  if rows is not None:
    angles['classifier_'] = rows
    found['nc3_etf'] = collapse.nc3(rows, centred, etf)
    if frame is not None:
      found['nc3_frame'] = collapse.nc3(rows, stats.means, frame @ frame.T)
    found['self_duality'] = collapse.self_duality(rows, centred)
    found['raw_self_duality'] = collapse.self_duality(rows, stats.means)
    found['bias_relation'] = collapse.bias_relation(
      rows, stats.global_mean, bias
    )
  for name, vectors in angles.items():
    mean, std = collapse.frame_deviation(vectors, target)
    found |= {f'{name}deviation_mean': mean, f'{name}deviation_std': std}
  return found
