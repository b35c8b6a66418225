# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
r"""Synthetic images of 30 classes in a tree of height 4: the first run.

    python -m hafjax.main --config=configs/quickstart.py \
        --workdir=/tmp/hafjax/quickstart

Variants: `configs/common.py`. Needs no data and no accelerator.
"""

from ml_collections import config_dict

from configs import common


def get_config(variant=None):
  config = common.get_config(variant)
  config.dataset = 'synthetic'
  config.synthetic = config_dict.create(
    image_size=24,
    channels=3,
    train_per_class=200,
    val_per_class=50,
    test_per_class=100,
    # Hard enough that methods differ.
    noise=3.5,
    max_shift=3,
    seed=0,
  )
  config.num_epochs = 10
  # Ten times the paper's: these are few steps.
  config.lr.update(backbone=0.1, transformation=0.1, classifier=1.0)
  return config
