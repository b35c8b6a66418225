# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
r"""Fashion-MNIST, 10 classes in a tree of height 3, on a small ConvNet.

    python -m hafjax.main --config=configs/fashion_mnist.py \
        --workdir=/tmp/hafjax/fashion_mnist

Reads Debian's package dataset-fashion-mnist where it is installed, else TFDS.
The last 500 training images of every class validate.
"""

from configs import common


def get_config(variant=None):
  config = common.get_config(variant, 'fashion_mnist')
  config.num_epochs = 5
  # Ten times the paper's: these are few steps.
  config.lr.update(backbone=0.1, transformation=0.1, classifier=1.0)
  return config
