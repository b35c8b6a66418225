# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
r"""CIFAR-10 in a tree of height 3: WRN-28-8, 100 epochs, batch 64.

    python -m hafjax.main --config=configs/cifar10.py --workdir=...

The recipe of the HAFrame paper for CIFAR-100; the tree is ours. The last 500
training images of every class validate. Wants an accelerator.
"""

from configs import cifar100


def get_config(variant=None):
  config = cifar100.get_config(variant)
  config.dataset = 'cifar10'
  return config
