# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Small runs that several test files train."""

from configs import quickstart


def tiny_config(variant=None, **overrides):
  """A run of seconds: 8 x 8 images of the quickstart tree, an MLP."""
  config = quickstart.get_config(variant)
  config.synthetic.update(
    image_size=8,
    train_per_class=8,
    val_per_class=3,
    test_per_class=3,
    noise=1.0,
    max_shift=0,
  )
  config.update(
    model='mlp',
    batch_size=16,
    eval_batch_size=64,
    num_epochs=3,
    log_seconds=0.05,
  )
  config.update_from_flattened_dict(overrides)
  return config
