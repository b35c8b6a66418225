# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""CIFAR-10: 60,000 images of 32 x 32 pixels, by TensorFlow Datasets."""

from hafjax.data.specs import Spec
from hafjax.data.tfds import reader

SPEC = Spec(
  read=reader('cifar10'),
  mean=(0.4914, 0.4822, 0.4465),
  std=(0.2470, 0.2435, 0.2616),
  hierarchy='cifar10',
  val_per_class=500,
  crop_padding=4,
  flip=True,
)
