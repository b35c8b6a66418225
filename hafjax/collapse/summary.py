# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Every measure of collapse of class statistics and a classifier."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from hafjax import frames
from hafjax.collapse import measures
from hafjax.collapse.prediction import Prediction
from hafjax.collapse.statistics import ClassStatistics


class Measure(NamedTuple):
  """How a measure is shown.

  Attributes:
    title: its name.
    reading: what it says and which value is collapse, in a sentence.
    main: whether reports draw it first.
    logged: whether training's log has it.
    log_scale: whether it is drawn on a logarithmic axis.
  """

  title: str
  reading: str
  main: bool = False
  logged: bool = False
  log_scale: bool = False


# All that `summary` returns, and 'nc4', which needs the features themselves.
MEASURES = {
  'deviation_mean': Measure(
    'deviation of class means, mean',
    'Over pairs of classes, how far the cosine of their centered means is '
    "from its target (that of the method's frame, or else of the simplex "
    'ETF): 0 is collapse.',
    main=True,
    logged=True,
  ),
  'deviation_std': Measure(
    'deviation of class means, standard deviation',
    'Spread over pairs of the cosine minus its target: 0 is collapse.',
    main=True,
  ),
  'self_duality': Measure(
    'self-duality',
    'Squared distance of the classifier from the centered class means, both '
    'scaled to length 1: 0 is collapse (NC3).',
    main=True,
    logged=True,
  ),
  'nc1': Measure(
    'NC1',
    'Variability within classes relative to that between them: 0 is collapse.',
    main=True,
    logged=True,
    log_scale=True,
  ),
  'nc2_frame': Measure(
    'NC2, frame',
    'Distance of the inner products of class means from those of the frame, '
    'both scaled to length 1: 0 is collapse.',
    main=True,
  ),
  'nc4': Measure(
    'NC4',
    'Share of images for which the classifier chooses the nearest class '
    'mean: 1 is collapse.',
    main=True,
    logged=True,
  ),
  'nc2_etf': Measure(
    'NC2, simplex ETF',
    'As NC2, of centered class means from a simplex ETF.',
    logged=True,
  ),
  'nc2_orthogonal': Measure(
    'NC2, orthogonal',
    'As NC2, from an orthogonal frame.',
  ),
  'nc3_etf': Measure(
    'NC3, simplex ETF',
    'Distance of the products of classifier rows and centered class means '
    'from those of a simplex ETF, all scaled to length 1: 0 is collapse.',
  ),
  'nc3_frame': Measure(
    'NC3, frame',
    'As NC3, of class means as they are, from the products of the frame.',
  ),
  'predicted_nc2_means': Measure(
    'NC2, predicted',
    'As NC2, from the class means that the theory of linear layers predicts '
    'for these decays and class sizes.',
  ),
  'predicted_nc2_classifier': Measure(
    'NC2 of the classifier, predicted',
    'Likewise of its rows.',
  ),
  'predicted_nc3': Measure(
    'NC3, predicted',
    'Likewise of the products of rows with class means.',
    logged=True,
  ),
  'nc1_svd': Measure(
    'NC1, by singular values',
    'As NC1, in the leading directions between classes only.',
    log_scale=True,
  ),
  'nc1_quotient': Measure(
    'NC1, quotient of traces',
    'Variance within classes over that between them: 0 is collapse.',
    log_scale=True,
  ),
  'nc1_cdnv': Measure(
    'NC1, class-distance normalized variance',
    'Variance of two classes over the squared distance of their means, mean '
    'over pairs: 0 is collapse.',
    log_scale=True,
  ),
  'raw_deviation_mean': Measure(
    'deviation, not centered, mean',
    'As the deviation, of class means as they are.',
  ),
  'raw_deviation_std': Measure(
    'deviation, not centered, standard deviation',
    'As the deviation, of class means as they are.',
  ),
  'classifier_deviation_mean': Measure(
    'deviation of the classifier, mean',
    "As the deviation, of the classifier's rows; 0 where they are fixed.",
  ),
  'classifier_deviation_std': Measure(
    'deviation of the classifier, standard deviation',
    "As the deviation, of the classifier's rows; 0 where they are fixed.",
  ),
  'raw_self_duality': Measure(
    'self-duality, not centered',
    'As self-duality, of class means as they are.',
  ),
  'bias_relation': Measure(
    'bias and mean of features',
    "How far the classifier's bias is from undoing the features' mean: 0 is "
    'collapse.',
  ),
  'class_norm_variation': Measure(
    'lengths of class means, variation',
    'Standard deviation over mean of the lengths of centered class means: 0 '
    'where all are as long.',
  ),
  'feature_norm_mean': Measure(
    'length of features, mean',
    'Over training images.',
    log_scale=True,
  ),
  'feature_norm_std': Measure(
    'length of features, standard deviation',
    'Over training images.',
    log_scale=True,
  ),
}


def summary(
  stats: ClassStatistics,
  frame: Any = None,
  weights: np.ndarray | None = None,
  bias: np.ndarray | float | None = None,
  prediction: Prediction | None = None,
) -> dict[str, float]:
  """Every measure of collapse, in float64.

  Args:
    stats: of features of K classes and d dimensions; classes without examples
      are left out. Best in float64 (`stats.astype(np.float64)`).
    frame: fixed class vectors, [K, d] or an operator of `hafjax.frames`, that
      features should collapse to; the target of angles, which is a simplex ETF
      without.
    weights: rows of a learned classifier, [K, d]; None for none.
    bias: its bias, [K]; None for none.
    prediction: where theory says that class means and rows end up.

  Returns:
    By name, see `MEASURES`: 'nc1' (by pseudo-inverse), 'nc1_svd',
    'nc1_quotient', 'nc1_cdnv'; 'nc2_etf' of centered class means,
    'nc2_orthogonal' of class means, and 'nc2_frame' of class means where there
    is a frame; 'nc3_etf' of rows and centered class means, 'nc3_frame' of rows
    and class means; 'deviation_mean' and 'deviation_std' of the angles of
    centered class means from the target, with 'raw_' of class means as they
    are, with 'classifier_' of the classifier's rows; 'self_duality' of rows and
    centered class means, 'raw_self_duality' of rows and class means,
    'bias_relation'; 'predicted_nc2_means', 'predicted_nc2_classifier' and
    'predicted_nc3', the distances from what is predicted (`Prediction.gaps`);
    'feature_norm_mean' and '_std'; 'class_norm_variation', the standard
    deviation of the lengths of centered class means over their mean. The rows
    are those of the frame where there is one. What is not finite, where class
    means coincide, is left out; {} if fewer than two classes have examples.

  Raises:
    ValueError: if frame, weights, bias or prediction do not fit the statistics.
  """
  shape = num_classes, _ = np.shape(stats.means)
  # Where float64 is, which TPUs do not have.
  host = jax.local_devices(backend='cpu')[0]
  with jax.enable_x64(True), jax.default_device(host):
    frame = _array('frame', _vectors(frame), shape)
    weights = _array('weights', weights, shape)
    if np.ndim(bias):
      bias = _array('bias', bias, (num_classes,))
    if prediction is not None:
      square = (num_classes, num_classes)
      prediction = Prediction(
        *(_array('prediction', gram, square) for gram in prediction)
      )
    present = np.flatnonzero(stats.counts)
    if len(present) < 2:
      return {}
    rows = weights if frame is None else frame
    values = _measures(
      stats.astype(np.float64).present(),
      frames.etf_similarity(len(present)),
      None if frame is None else frame[present],
      None if rows is None else rows[present],
      bias[present] if np.ndim(bias) else float(bias or 0),
      None if prediction is None else prediction.take(present),
    )
    values = {name: float(value) for name, value in values.items()}
  # JSON has no infinities.
  return {name: value for name, value in values.items() if np.isfinite(value)}


def _vectors(frame):
  """A frame's class vectors as an array; arrays as they are."""
  if not isinstance(frame, frames.Frame):
    return frame
  return frame.rows(np.arange(frame.num_classes))


def _array(name: str, value, shape: tuple[int, ...]) -> np.ndarray | None:
  """In float64; None as it is. Raises ValueError for another shape."""
  if value is None:
    return None
  if np.shape(value) != shape:
    raise ValueError(
      f'{name} must be of shape {list(shape)} to fit the statistics of '
      f'{shape[0]} classes, got {list(np.shape(value))}.'
    )
  return np.asarray(value, np.float64)


@jax.jit
def _measures(stats, etf, frame, rows, bias, predicted) -> dict[str, jax.Array]:
  centered = stats.means - stats.global_mean
  target = etf if frame is None else frame
  lengths = jnp.linalg.norm(centered, axis=1)
  values = dict(
    nc1=measures.nc1(stats),
    nc1_svd=measures.nc1(stats, 'svd'),
    nc1_quotient=measures.nc1(stats, 'quotient'),
    nc1_cdnv=measures.nc1(stats, 'cdnv'),
    nc2_etf=measures.nc2(centered, etf),
    nc2_orthogonal=measures.nc2(stats.means, jnp.eye(len(etf))),
    feature_norm_mean=stats.norm_mean,
    feature_norm_std=stats.norm_std,
    class_norm_variation=lengths.std() / lengths.mean(),
  )
  if frame is not None:
    values['nc2_frame'] = measures.nc2(stats.means, frame @ frame.T)
  angles = {'': centered, 'raw_': stats.means}
  if rows is not None:
    angles['classifier_'] = rows
    values['nc3_etf'] = measures.nc3(rows, centered, etf)
    if frame is not None:
      values['nc3_frame'] = measures.nc3(rows, stats.means, frame @ frame.T)
    values['self_duality'] = measures.self_duality(rows, centered)
    values['raw_self_duality'] = measures.self_duality(rows, stats.means)
    values['bias_relation'] = measures.bias_relation(
      rows, stats.global_mean, bias
    )
    if predicted is not None:
      gaps = predicted.gaps(rows, stats.means)
      values |= {f'predicted_{name}': gap for name, gap in gaps.items()}
  for name, vectors in angles.items():
    mean, std = measures.frame_deviation(vectors, target)
    values |= {f'{name}deviation_mean': mean, f'{name}deviation_std': std}
  return values
