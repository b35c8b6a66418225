# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
r"""WRN-10-1 on Fashion-MNIST padded to 32 x 32: a figure to compare with.

    python -m hafjax.main --config=configs/fashion_mnist_wrn.py \
        --workdir=/tmp/hafjax/fashion_mnist_wrn

Five epochs of batches of 64 under the paper's recipe for CIFAR-100; also as
`:cross_entropy`.
"""

from configs import fashion_mnist


def get_config(variant=None):
  config = fashion_mnist.get_config(variant)
  config.model = 'wrn_10_1'
  config.image_size = 32
  config.crop_padding = 4
  return config
