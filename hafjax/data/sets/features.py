# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Frozen features of any backbone, in arrays."""

from hafjax.data import features
from hafjax.data.spec import VALIDATION_FIELDS
from hafjax.data.spec import Spec
from hafjax.data.spec import Splits
from hafjax.data.spec import with_validation
from hafjax.hierarchy import Hierarchy
from hafjax.plugins import fields as f
from hafjax.plugins.fields import Field


def _read(hierarchy: Hierarchy, config) -> Splits:
  own = config.features
  splits = features.read(config.data_dir, hierarchy)
  return with_validation(splits, own.val_share, own.val_seed)


SPEC = Spec(
  read=_read,
  group='features',
  fields=dict(
    standardise=Field(
      True,
      f.BOOL,
      'Whether features are standardized to mean 0 and variance 1 in each '
      'dimension over the training split, as a BatchNorm in front of a linear '
      'probe does.',
    ),
    **VALIDATION_FIELDS,
  ),
)
