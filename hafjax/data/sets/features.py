# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Frozen features of any backbone, with labels, in files of NumPy."""

from hafjax.data import features
from hafjax.data.specs import Spec
from hafjax.data.splits import Split
from hafjax.data.splits import with_validation
from hafjax.plugins.fields import BOOL
from hafjax.plugins.fields import SHARE
from hafjax.plugins.fields import Field
from hafjax.plugins.fields import at_least


def _read(hierarchy, config) -> dict[str, Split]:
  options = SPEC.options(config)
  splits = features.read(config.data_dir, hierarchy)
  return with_validation(splits, options['val_share'], options['val_seed'])


SPEC = Spec(
  read=_read,
  group='features',
  fields=dict(
    standardise=Field(
      True,
      BOOL,
      'To mean 0 and variance 1 in each dimension, over the training split: '
      'what a BatchNorm in front of a linear probe does.',
    ),
    val_share=Field(
      0.1, SHARE, 'Part of each class that validates, if there is no val split.'
    ),
    val_seed=Field(0, at_least(0), 'Fixes which examples validate.'),
  ),
)
