# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""ImageNet (ILSVRC 2012): 1.28 million photographs of 1,000 classes."""

from hafjax.data import records
from hafjax.data.spec import Spec

SPEC = Spec(
  read=lambda hierarchy, config: records.read_large(
    'imagenet2012', hierarchy, config, test='validation'
  ),
  val_per_class=50,
  flip=True,
)
