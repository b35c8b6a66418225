# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""iNaturalist 2021: 2.7 million photographs of 10,000 species, by TFDS."""

from hafjax.data import records
from hafjax.data.spec import Spec

SPEC = Spec(
  read=lambda hierarchy, config: records.read_large(
    'i_naturalist2021', hierarchy, config, test='val'
  ),
  val_per_class=10,
  flip=True,
)
