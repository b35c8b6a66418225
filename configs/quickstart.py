# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
r"""Synthetic images of 30 classes in a tree of height 4: the first run.

    python -m hafjax.main --config=configs/quickstart.py \
        --workdir=/tmp/hafjax/quickstart

Variants: `configs/common.py`. Needs no data and no accelerator.
"""

from configs import common


def get_config(variant=None):
  config = common.get_config(variant, 'synthetic')
  config.num_epochs = 10
  # Ten times the paper's: these are few steps.
  config.lr.update(backbone=0.1, transformation=0.1, classifier=1.0)
  return config
