# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""CIFAR-100: 60,000 images of 32 x 32 pixels, by TensorFlow Datasets."""

from hafjax.data.specs import Spec
from hafjax.data.tfds import reader

SPEC = Spec(
  read=reader('cifar100'),
  mean=(0.5071, 0.4867, 0.4408),
  std=(0.2675, 0.2565, 0.2761),
  hierarchy='cifar100',
  val_per_class=50,
  crop_padding=4,
  flip=True,
)
