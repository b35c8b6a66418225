# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
r"""CIFAR-100 as in the HAFrame paper: WRN-28-8, 100 epochs, batch 64.

    python -m hafjax.main --config=configs/cifar100.py --workdir=...

Liang and Davis, ICCV 2023: gamma 2.0, alpha 0.4, rates 0.01 (0.1 for a learned
classifier), SGD with momentum and cosine decay. Wants an accelerator.
"""

from configs import common


def get_config(variant=None):
  config = common.get_config(variant, 'cifar100')
  config.model = 'wrn_28_8'
  config.batch_size = 64
  config.num_epochs = 100
  return config
