# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
r"""ImageNet, 1,000 classes, through TFDS: ResNet-50, 100 epochs.

    python -m hafjax.main --config=configs/imagenet2012.py --workdir=... \
        --config.hierarchy=FILE

TFDS prepares the archives that you put in its folder for manual downloads. The
official validation images test; the last fifty training images of every class
validate. Rates and schedule are those of the HAFrame paper for
tieredImageNet-H.
Wants an accelerator.
"""

from configs import common


def get_config(variant=None):
  return common.resnet_50_config(variant, 'imagenet2012', gamma=3.0, alpha=0.5)
