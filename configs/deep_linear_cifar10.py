# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
r"""CIFAR-10 under linear layers, on a ResNet-18 trained until classes collapse.

    python -m hafjax.main --config=configs/deep_linear_cifar10.py \
        --config.method.depth=3 --workdir=...

Dang et al., ICML 2023 (arXiv 2301.00437): their ResNet-18, or VGG-16 with
--config.model=vgg_16; a long tail: --config.imbalance.factor=100. Wants an
accelerator.
"""

from configs import deep_linear_fashion_mnist


def get_config(variant=None):
  config = deep_linear_fashion_mnist.get_config(variant)
  config.update(dataset='cifar10', model='resnet_18_small', num_epochs=200)
  return config
