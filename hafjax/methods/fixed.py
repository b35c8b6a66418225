# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""What the methods with a fixed classifier share."""

from collections.abc import Mapping
import dataclasses

from absl import logging
import jax
import jax.numpy as jnp
import numpy as np

from hafjax import frames
from hafjax import losses
from hafjax.methods import base
from hafjax.models import heads


@dataclasses.dataclass(frozen=True)
class Rotation:
  """How a frame follows the class means during training.

  The means of unit features are kept as moving averages; every so many steps
  the frame is replaced by its copy nearest to them (`frames.nearest_rotation`),
  and it is constant in between.

  Attributes:
    every: steps between rotations.
    freeze_step: the step from which on the frame stays; None for never.
    decay: of the moving averages, a step.
    delta: weight of staying near the last rotation. Some weight decides where
      the means do not, as while a class was not seen yet; the default is
      that of Markou et al. (arXiv 2411.01248).
  """

  every: int = 100
  freeze_step: int | None = None
  decay: float = 0.99
  delta: float = 1e-3

  def __post_init__(self):
    if self.every < 1:
      raise base.MethodError(f'rotation.every must be >= 1, got {self.every}.')
    if not 0 <= self.decay < 1:
      raise base.MethodError(
        f'rotation.decay must be in [0, 1), got {self.decay}.'
      )
    if not self.delta >= 0:
      raise base.MethodError(f'rotation.delta must be >= 0, got {self.delta}.')

  @classmethod
  def of(cls, options: Mapping) -> 'Rotation':
    """From the fields of a config, which may be wrong."""
    known = [field.name for field in dataclasses.fields(cls)]
    unknown = sorted(set(options) - set(known))
    if unknown:
      raise base.MethodError(
        f'rotation has no {unknown[0]!r}; it has {", ".join(known)}.'
      )
    return cls(**options)


# Every field of `Rotation`, with its default, for configs; None can be set.
ROTATION = dataclasses.asdict(Rotation())


def vectors(similarity: np.ndarray, context: base.MethodContext) -> np.ndarray:
  """Class vectors with given cosines, or as near as the features' width lets.

  Args:
    similarity: wanted cosines, [K, K].
    context: gives width and seed.

  Returns:
    float64[K, d]; what had to be given up is logged as a warning.
  """
  frame = frames.low_dim_frame(similarity, context.width, seed=context.seed)
  error = frames.gram_error(frame, similarity)
  if error.largest > 1e-6:
    logging.warning(
      'Features of %d dimensions have no room for the exact frame of %d '
      'classes: its cosines are off by %.3g at most, %.3g relative in all.',
      context.width,
      len(similarity),
      error.largest,
      error.relative,
    )
  return frame


def cosines(outputs: dict) -> jax.Array:
  """Scores: cosines of features and class vectors, [B, K]."""
  return outputs.frame.logits(losses.unit(outputs.features))


def method(
  frame: np.ndarray | frames.Frame,
  alpha: float,
  schedule: str = 'constant',
  period: float = 0.1,
  rotation: Mapping | None = None,
) -> base.Method:
  """A fixed classifier under the mix of cross-entropy and cosine loss.

  Args:
    frame: unit-norm class vectors, float64[K, d], or an operator.
    alpha: weight of the cosine loss, see `losses.haframe_loss`.
    schedule: name for `losses.mixing_schedule`.
    period: of the cosine schedules, as a fraction of training.
    rotation: fields of `Rotation`, for a frame (a matrix) that turns to the
      features; None for one that stays.
  """
  mixing = losses.mixing_schedule(schedule, alpha=alpha, period=period)

  def loss(outputs, labels, progress):
    beta, weight = mixing(progress)
    return losses.haframe_loss(
      outputs.features, outputs.frame, labels, weight, beta
    )

  dim = frames.as_frame(frame).dim
  if rotation is None:
    return base.Method(heads.Fixed(frame), loss, feature_dim=dim)
  options = Rotation.of(rotation)

  def update(variables, features, labels, step):
    return _turn(variables, features, labels, step, options)

  return base.Method(heads.Turning(frame), loss, update=update, feature_dim=dim)


def _turn(variables, features, labels, step, options: Rotation) -> dict:
  """The variables of a `heads.Turning` after a step."""
  directions = losses.unit(features)
  sums = options.decay * variables['sums']
  counts = options.decay * variables['counts']
  sums = sums.at[labels].add(directions)
  counts = counts.at[labels].add(1.0)

  def turned():
    # Classes that were not seen yet have a mean of zero, and no say.
    means = sums / jnp.maximum(counts, 1e-6)[:, None]
    rotation = frames.nearest_rotation(
      variables['coordinates'], means, variables['rotation'], options.delta
    )
    vectors = variables['coordinates'] @ rotation.T
    return rotation, frames.DenseFrame(vectors)

  due = (step + 1) % options.every == 0
  if options.freeze_step is not None:
    due &= step < options.freeze_step
  rotation, frame = jax.lax.cond(
    due, turned, lambda: (variables['rotation'], variables['frame'])
  )
  return dict(
    variables, sums=sums, counts=counts, rotation=rotation, frame=frame
  )
