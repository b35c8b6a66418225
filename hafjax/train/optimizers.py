# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Optimizers and learning-rate schedules of a run."""

import jax
import optax


def make_optimizer(config, num_steps: int) -> optax.GradientTransformation:
  """SGD with momentum, weight decay and a cosine schedule for each part.

  Parts are the network's top-level parameter groups; each falls from its own
  peak rate in `config.lr` to zero.

  Args:
    config: the run's.
    num_steps: length of training.
  """

  def sgd(peak):
    return optax.chain(
      optax.add_decayed_weights(config.weight_decay),
      optax.sgd(
        optax.cosine_decay_schedule(peak, num_steps),
        momentum=config.momentum,
      ),
    )

  by_part = optax.partition(
    {part: sgd(peak) for part, peak in config.lr.items()},
    lambda params: {
      part: jax.tree.map(lambda _, part=part: part, group)
      for part, group in params.items()
    },
  )
  if config.clip_norm is None:
    return by_part
  return optax.chain(optax.clip_by_global_norm(config.clip_norm), by_part)
