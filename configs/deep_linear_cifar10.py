# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
r"""CIFAR-10 under linear layers, on a ResNet-18 trained until classes collapse.

    python -m hafjax.main --config=configs/deep_linear_cifar10.py \
        --config.method.depth=3 --workdir=...

Dang et al., ICML 2023 (arXiv 2301.00437): their ResNet-18, or VGG-16 with
--config.model=vgg_16; a long tail: --config.imbalance.factor=100. Wants an
accelerator.
"""

from configs import common


def get_config(variant=None):
  config = common.get_config(variant or 'deep_linear')
  config.dataset = 'cifar10'
  config.model = 'resnet_18_small'
  # Every image as it is: only training images can collapse.
  config.update(crop_padding=0, flip=False)
  config.batch_size = 128
  config.num_epochs = 200
  config.eval_every = 5
  config.collapse.update(every=5)
  # Squared errors of long features: higher rates diverge.
  config.lr.update(backbone=0.1, transformation=0.1, classifier=0.02)
  return config
