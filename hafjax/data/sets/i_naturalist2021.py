# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""iNaturalist 2021, by TensorFlow Datasets."""

from hafjax.data import records
from hafjax.data.specs import Spec

SPEC = Spec(
  read=records.reader('i_naturalist2021', test='val'),
  val_per_class=10,
  flip=True,
)
