# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
r"""Images of your own, in folders, under a tree of your own.

    python -m hafjax.main --config=configs/image_folder.py --workdir=... \
        --config.data_dir=ROOT --config.hierarchy=FILE --config.image_size=64

Reads ROOT/{train,val,test}/CLASS/*.{jpg,jpeg,png}; classes are named as in the
hierarchy. Without val, a tenth of each class validates. Images are stretched to
squares of image_size; up to 4 GiB of them are decoded once
(--config.input.memory_gib). For photographs and an accelerator:

    --config.image_size=224 --config.model=resnet_50 \
        --config.random_crop=resized --config.init_from=FILE
"""

from configs import common


def get_config(variant=None):
  config = common.get_config(variant, 'image_folder')
  config.image_size = 64
  config.num_epochs = 30
  config.lr.update(backbone=0.1, transformation=0.1, classifier=1.0)
  return config
