# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Cosines between features and the fixed class vectors they should reach."""

from collections.abc import Mapping
from typing import ClassVar

import flax
import jax.numpy as jnp
import numpy as np

from hafjax import frames
from hafjax.metrics import base
from hafjax.numerics.vectors import unit


@flax.struct.dataclass
class Alignment:
  """Cosines between features and their class vectors, where these are fixed.

  'feature_cosine', the mean over examples; and 'class_mean_cosine' (of a dense
  frame), the mean over the classes that have examples, of the cosine of the
  class's mean feature. Both are 1 when features have collapsed to the frame.
  """

  # Those of two frames do not compare.
  direction: ClassVar[Mapping[str, int]] = {}
  num_ranked: ClassVar[int] = 0

  @classmethod
  def create(cls, tables: base.MetricTables) -> 'Alignment':
    del tables
    return cls()

  def sums(self, batch: base.Scored, weight) -> dict:
    """See `base.Metric`.

    Returns:
      'count' and 'cosine', of the examples; of a dense frame, by class, also
      'counts' [K], 'features' [K, d], and 'products' [K], of the features and
      the class's vector.
    """
    if batch.frame is None or batch.features is None:
      return {}
    frame, features = frames.as_frame(batch.frame), batch.features
    weight, labels = weight.astype(features.dtype), batch.labels
    rows = frame.rows(labels)
    cosine = jnp.sum(unit(features) * rows, axis=-1)
    sums = dict(count=weight.sum(), cosine=jnp.sum(weight * cosine))
    if isinstance(frame, frames.DenseFrame):
      products = jnp.sum(features * rows, axis=-1)
      zeros = jnp.zeros(frame.num_classes, features.dtype)
      sums |= dict(
        counts=zeros.at[labels].add(weight),
        products=zeros.at[labels].add(weight * products),
        features=jnp.zeros(frame.vectors.shape, features.dtype)
        .at[labels]
        .add(weight[:, None] * features),
      )
    return sums

  def finalize(self, sums: dict) -> dict[str, float]:
    """See `base.Metric`."""
    base.check_count(sums['count'])
    figures = dict(feature_cosine=float(sums['cosine'] / sums['count']))
    if 'features' in sums:
      # Class vectors have length 1, and a mean the direction of the sum.
      present = sums['counts'] > 0
      lengths = np.linalg.norm(sums['features'][present], axis=1)
      cosines = sums['products'][present] / np.where(lengths > 0, lengths, 1)
      figures['class_mean_cosine'] = float(cosines.mean())
    return figures


METRIC = Alignment
