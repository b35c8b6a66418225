# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""How the mix of cross-entropy and cosine loss changes over training."""

from collections.abc import Callable

import jax.numpy as jnp

from hafjax.losses.errors import LossError
from hafjax.numerics import checks

# Each maps (progress, wave, alpha) to (beta, alpha), where wave rises from 0 to
# 1 and back once a period. HAFrame, arXiv 2303.05689, ablations.
_SCHEDULES = {
  'constant': lambda t, wave, alpha: (
    jnp.where(alpha <= 1, 1 - alpha, 1.0),
    alpha,
  ),
  'linear_decrease': lambda t, wave, alpha: (t, 1 - t),
  'linear_increase': lambda t, wave, alpha: (1 - t, t),
  'cosine': lambda t, wave, alpha: (1 - wave, wave),
  'cosine_linear_increase': lambda t, wave, alpha: (1 - wave * t, wave * t),
  # As published: beta swings with a growing amplitude, and alpha is the rest.
  'cosine_linear_decrease': lambda t, wave, alpha: (wave * t, 1 - wave * t),
}


def mixing_schedule(
  name: str, *, alpha: float = 0.5, period: float = 0.1
) -> Callable:
  """A function from the fraction of training done to the two weights.

  Args:
    name: 'constant', 'linear_decrease', 'linear_increase' (of alpha), 'cosine',
      'cosine_linear_increase' or 'cosine_linear_decrease'.
    alpha: weight of the cosine loss for 'constant', >= 0; the others run
      between 0 and 1 by themselves.
    period: of the cosines, as a fraction of training, > 0.

  Returns:
    progress in [0, 1), a float or a traced array -> (beta, alpha).

  Raises:
    LossError: for an unknown name, a negative alpha or a period not above 0.
  """
  if name not in _SCHEDULES:
    raise LossError(
      f'There is no mixing schedule {name!r}; there are '
      f'{", ".join(_SCHEDULES)}.'
    )
  checks.check_not_negative('alpha', alpha, LossError)
  checks.check_positive('period', period, LossError)

  def weights(progress):
    progress = jnp.asarray(progress)
    wave = (1 - jnp.cos(2 * jnp.pi * progress / period)) / 2
    beta, weight = _SCHEDULES[name](progress, wave, jnp.asarray(alpha))
    return beta, weight

  return weights
