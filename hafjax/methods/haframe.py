# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""A classifier fixed to the hierarchy-aware frame (HAFrame).

Liang and Davis, ICCV 2023 (arXiv 2303.05689).
"""

import numpy as np

from hafjax import frames
from hafjax import losses
from hafjax.methods import base
from hafjax.models import heads


def build(
  task: base.Task,
  *,
  gamma: float,
  alpha: float,
  mapping: str = 'exponential',
  separation: str = 'exact',
  schedule: str = 'constant',
  period: float = 0.1,
) -> base.Method:
  """HAFrame with cross-entropy and cosine loss.

  Args:
    task: see `base.Task`; the frame needs feature_dim >= K - 1.
    gamma: decay of similarity with distance, > 0.
    alpha: weight of the cosine loss; 0 is cross-entropy alone on the frame, 1
      is the cosine loss alone, above 1 it is added to the cross-entropy.
    mapping: 'exponential' or 'linear', see `frames.similarity`.
    separation: 'exact', or 'grid' as in the published code.
    schedule: how the mix changes over training, `losses.mixing_schedule`.
    period: of the cosine schedules, as a fraction of training.
  """
  frame = frames.haframe(
    task.distances,
    gamma,
    dim=task.feature_dim,
    seed=task.seed,
    mapping=mapping,
    separation=separation,
  )
  return fixed_frame(frame, alpha, schedule=schedule, period=period)


def fixed_frame(
  frame: np.ndarray,
  alpha: float,
  schedule: str = 'constant',
  period: float = 0.1,
) -> base.Method:
  """A fixed classifier under the mix of cross-entropy and cosine loss.

  Args:
    frame: unit-norm class vectors, float64[K, d].
    alpha: weight of the cosine loss, see `build`.
    schedule: name for `losses.mixing_schedule`.
    period: of the cosine schedules, as a fraction of training.
  """
  mixing = losses.mixing_schedule(schedule, alpha=alpha, period=period)

  def loss(outputs, labels, progress):
    beta, weight = mixing(progress)
    return losses.haframe_loss(outputs['features'], frame, labels, weight, beta)

  return base.Method(head=heads.Fixed(frame), loss=loss, frame=frame)
