# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""The mean loss."""

from collections.abc import Mapping
from typing import ClassVar

import flax
import jax.numpy as jnp

from hafjax.metrics import base


@flax.struct.dataclass
class Loss:
  """'loss', where the batch has losses. Those of two methods do not compare."""

  direction: ClassVar[Mapping[str, int]] = {}
  num_ranked: ClassVar[int] = 0

  @classmethod
  def create(cls, tables: base.MetricTables) -> 'Loss':
    del tables
    return cls()

  def sums(self, batch: base.Scored, weight) -> dict:
    """See `base.Metric`."""
    if batch.loss is None:
      return {}
    # What does not count may be anything, even NaN.
    loss = jnp.where(weight > 0, batch.loss, 0.0)
    return dict(loss=loss.sum(), count=weight.sum())

  def finalize(self, sums: dict) -> dict[str, float]:
    """See `base.Metric`."""
    base.check_count(sums['count'])
    return dict(loss=float(sums['loss'] / sums['count']))


METRIC = Loss
