# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Synthetic images of any tree; nothing is downloaded."""

from hafjax.data.spec import Spec
from hafjax.data.spec import Splits
from hafjax.data.synthetic import synthetic_splits
from hafjax.hierarchy import Hierarchy
from hafjax.plugins import fields as f
from hafjax.plugins.fields import Field

FIELDS = dict(
  image_size=Field(24, f.at_least(4), 'Height and width in pixels.'),
  channels=Field(3, f.one_of(3), 'Color channels.'),
  train_per_class=Field(200, f.at_least(1), 'Training images of each class.'),
  val_per_class=Field(50, f.at_least(1), 'Validation images of each class.'),
  test_per_class=Field(100, f.at_least(1), 'Test images of each class.'),
  noise=Field(
    3.5,
    f.NOT_NEGATIVE,
    "Standard deviation of pixel noise; the templates' is 1. The default is "
    'hard enough that methods differ.',
  ),
  max_shift=Field(
    3, f.at_least(0), 'Largest cyclic shift in pixels, each way, inclusive.'
  ),
  seed=Field(0, f.at_least(0), 'Fixes templates and images.'),
)


def _read(hierarchy: Hierarchy, config) -> Splits:
  return synthetic_splits(hierarchy, **config.synthetic)


SPEC = Spec(
  read=_read,
  mean=(0.5,) * 3,
  std=(0.125,) * 3,
  hierarchy='quickstart',
  group='synthetic',
  fields=FIELDS,
)
