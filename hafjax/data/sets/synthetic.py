# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Synthetic images whose similarities follow the hierarchy, any one."""

from hafjax.data.specs import Spec
from hafjax.data.splits import Arrays
from hafjax.data.synthetic import synthetic_splits
from hafjax.plugins.fields import NOT_NEGATIVE
from hafjax.plugins.fields import Field
from hafjax.plugins.fields import at_least
from hafjax.plugins.fields import one_of


def _read(hierarchy, config) -> dict[str, Arrays]:
  return synthetic_splits(hierarchy, **SPEC.options(config))


SPEC = Spec(
  read=_read,
  mean=(0.5,) * 3,
  std=(0.125,) * 3,
  hierarchy='quickstart',
  group='synthetic',
  fields=dict(
    image_size=Field(24, at_least(4), 'Height and width in pixels.'),
    channels=Field(3, one_of(3), 'Color channels.'),
    train_per_class=Field(200, at_least(1), 'Training images of each class.'),
    val_per_class=Field(50, at_least(1), 'Validation images of each class.'),
    test_per_class=Field(100, at_least(1), 'Test images of each class.'),
    noise=Field(
      3.5,
      NOT_NEGATIVE,
      'Standard deviation of the noise, where that of the class templates is '
      '1. The default is hard enough that methods differ.',
    ),
    max_shift=Field(
      3, at_least(0), 'Largest shift of an image in pixels, each way.'
    ),
    seed=Field(
      0, at_least(0), 'Fixes templates and images: the data set, not the run.'
    ),
  ),
)
