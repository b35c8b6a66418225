# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""ImageNet (ILSVRC 2012), by TensorFlow Datasets."""

from hafjax.data import records
from hafjax.data.specs import Spec

SPEC = Spec(
  read=records.reader('imagenet2012', test='validation'),
  val_per_class=50,
  flip=True,
)
