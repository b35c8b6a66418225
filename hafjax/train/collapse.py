# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Neural collapse of a state over a split, and its predictions one by one."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from hafjax import collapse
from hafjax import frames
from hafjax.data import DataSet
from hafjax.errors import UserError
from hafjax.runtime.devices import Devices
from hafjax.train.evaluator import outputs_of
from hafjax.train.setup import Experiment
from hafjax.train.setup import TrainState

# What the head receives; others are the backbone's intermediates.
FEATURES = 'features'
# Images that are kept of the worst mistakes.
NUM_SEVERE = 24


class LayerError(UserError):
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
  """Raises LayerError if there is no such layer."""
  known = layer_names(experiment, image_shape)
  unknown = [layer for layer in layers if layer not in known]
  if unknown:
    raise LayerError(
      f'config.collapse.layers has no layer {unknown[0]!r}; there are '
      f'{", ".join(known)}.'
    )


def _vectors(outputs: dict, layer: str):
  """A layer's features, [B, d]: of maps, the means over positions."""
  if layer == FEATURES:
    return outputs[FEATURES]
  found = outputs['intermediates'][layer].astype(jnp.float32)
  return found.mean(axis=tuple(range(1, found.ndim - 1)))


class CollapsePass:
  """Compiled passes over a split, of states of an experiment."""

  def __init__(
    self,
    experiment: Experiment,
    data: DataSet,
    device: Devices,
    batch_size: int,
  ):
    self._experiment, self._data = experiment, data
    self._device, self._batch_size = device, batch_size
    self._layout = device.layout(experiment)
    self._first = device.compiled(self._first_step, 'wlsss', donated=(0,))
    self._second = device.compiled(self._second_step, 'wlsssw', donated=(0,))

  def num_examples(self, split: str) -> int:
    """Of a split."""
    return len(self._data.splits[split])

  def _outputs(self, state, images):
    state = self._layout.trimmed(state)
    return outputs_of(state, images, self._experiment)

  def _first_step(self, stats, state, images, labels, mask):
    outputs = self._outputs(state, images)
    scores = self._experiment.method.scores(outputs)
    stats = {
      layer: found.update(_vectors(outputs, layer), labels, mask)
      for layer, found in stats.items()
    }
    return stats, scores.argmax(axis=1), jax.nn.softmax(scores).max(axis=1)

  def _first_pass(self, state, split, layers):
    """Statistics of each layer; predictions and confidences, [N] each."""
    examples = self._data.splits[split]
    images = jax.ShapeDtypeStruct((1, *examples.example_shape), examples.dtype)
    shapes = jax.eval_shape(
      lambda state, images: {
        layer: _vectors(self._outputs(state, images), layer) for layer in layers
      },
      state,
      images,
    )
    num_classes = self._data.hierarchy.num_classes
    stats = {
      layer: collapse.ClassStatistics.create(num_classes, shape.shape[1])
      for layer, shape in shapes.items()
    }
    stats, read = self._device.put(stats), []
    for batch in self._device.batches(split, self._batch_size):
      stats, *found = self._first(stats, state, *batch)
      read.append([np.asarray(values) for values in found])
    size = self.num_examples(split)
    return stats, *(np.concatenate(v)[:size] for v in zip(*read, strict=True))

  def _second_step(self, agree, state, images, labels, mask, means):
    del labels
    outputs = self._outputs(state, images)
    predictions = self._experiment.method.scores(outputs).argmax(axis=1)
    found = {}
    for layer, count in agree.items():
      vectors = _vectors(outputs, layer)
      nearest = collapse.nc4(predictions, vectors, *means[layer])
      found[layer] = count + jnp.sum(nearest & mask)
    return found

  def statistics(
    self, state: TrainState, split: str, layers: Sequence[str] = (FEATURES,)
  ) -> dict[str, collapse.ClassStatistics]:
    """Of each layer, over a whole split; float64 on the host."""
    stats, *_ = self._first_pass(state, split, layers)
    return {layer: found.astype(np.float64) for layer, found in stats.items()}

  def collapse(
    self, state: TrainState, split: str, layers: Sequence[str] = (FEATURES,)
  ) -> list[dict]:
    """Measures of collapse, a dict a layer; see `measures_of`.

    Two passes: statistics, then agreement with the nearest class means.
    """
    device = self._device
    stats, *_ = self._first_pass(state, split, layers)
    means = {
      layer: (found.means, found.counts > 0) for layer, found in stats.items()
    }
    agree = device.put(dict.fromkeys(layers, np.int32(0)))
    for batch in device.batches(split, self._batch_size):
      agree = self._second(agree, state, *batch, means)
    classifiers = self._classifiers(state)
    return [
      dict(
        split=split,
        layer=layer,
        **measures_of(
          stats[layer].astype(np.float64),
          **classifiers.get(layer, {}),
          predicted=self._experiment.method.predicted.get(layer),
        ),
        nc4=float(agree[layer]) / self.num_examples(split),
      )
      for layer in layers
    ]

  def _classifiers(self, state) -> dict[str, dict]:
    """What classifies at a layer: 'frame', or 'weights' and 'bias'.

    Of classifiers with a row a class alone.
    """
    num_classes = self._data.hierarchy.num_classes

    def rows(state):
      examples = self._data.splits['train']
      images = jnp.zeros((1, *examples.example_shape), examples.dtype)
      outputs = self._outputs(state, images)
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

    found = self._device.compiled(rows, 'l')(state)
    return jax.tree.map(lambda x: np.asarray(x, np.float64), found)

  def predictions(self, state: TrainState, split: str = 'test') -> dict:
    """What a report shows of a split, as arrays.

    Returns:
      'labels' int32[N], 'predictions' int32[N], 'confidences' float32[N] (of
      the softmax of the scores), 'class_means' float32[K, d]; where class
      vectors are fixed, 'frame' float32[K, d], where a row a class is learned,
      'weights' float32[K, d] and 'bias' float32[K]; 'severe' int32[M], the
      wrong predictions farthest from their labels, by confidence among equals;
      of images, 'severe_images' uint8[M, h, w, c].
    """
    arrays = self._data.splits[split]
    stats, predictions, confidences = self._first_pass(
      state, split, (FEATURES,)
    )
    distances = self._data.distances[arrays.labels, predictions]
    worst = np.lexsort((-confidences, -distances))[:NUM_SEVERE]
    severe = worst[predictions[worst] != arrays.labels[worst]]
    found = dict(
      labels=arrays.labels.astype(np.int32),
      predictions=predictions.astype(np.int32),
      confidences=confidences,
      class_means=np.asarray(stats[FEATURES].means),
      severe=severe.astype(np.int32),
    )
    for name, value in self._classifiers(state).get(FEATURES, {}).items():
      found[name] = value.astype(np.float32)
    if len(arrays.example_shape) == 3:
      found['severe_images'] = arrays.batch(severe)
    return found


def measures_of(
  stats: collapse.ClassStatistics,
  frame: np.ndarray | None = None,
  weights: np.ndarray | None = None,
  bias: np.ndarray | float = 0.0,
  predicted: collapse.Prediction | None = None,
) -> dict[str, float]:
  """Measures of collapse, as `collapse.jsonl` has them.

  Args:
    stats: of features, float64; classes without examples are left out.
    frame: fixed class vectors, [K, d], that features should collapse to; the
      target of angles, which is a simplex ETF without.
    weights: rows of a learned classifier, [K, d]; None for none.
    bias: its bias, [K].
    predicted: where theory says that class means and rows end up.

  Returns:
    'nc1' (by pseudo-inverse), 'nc1_svd', 'nc1_quotient', 'nc1_cdnv';
    'nc2_etf' of centred class means, 'nc2_orthogonal' of class means, and
    'nc2_frame' of class means where there is a frame; 'nc3_etf' of rows and
    centred class means, 'nc3_frame' of rows and class means; 'deviation_mean'
    and 'deviation_std' of the angles of centred class means from the target,
    with 'raw_' of class means as they are, with 'classifier_' of the
    classifier's rows; 'self_duality' of rows and centred class means,
    'raw_self_duality' of rows and class means, 'bias_relation';
    'predicted_nc2_means', 'predicted_nc2_classifier' and 'predicted_nc3', the
    distances from what is predicted (`collapse.Prediction.gaps`);
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
      None if predicted is None else predicted.take(there),
    )
    found = {name: float(value) for name, value in found.items()}
  # JSON has no infinities.
  return {name: value for name, value in found.items() if np.isfinite(value)}


@jax.jit
def _measures(stats, etf, frame, rows, bias, predicted) -> dict[str, jax.Array]:
  centred = stats.means - stats.global_mean[None]
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
    if predicted is not None:
      gaps = predicted.gaps(rows, stats.means)
      found |= {f'predicted_{name}': gap for name, gap in gaps.items()}
  for name, vectors in angles.items():
    mean, std = collapse.frame_deviation(vectors, target)
    found |= {f'{name}deviation_mean': mean, f'{name}deviation_std': std}
  return found
