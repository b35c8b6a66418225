# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
r"""iNaturalist 2021, 10,000 species, through TFDS: ResNet-50, 100 epochs.

    python -m hafjax.main --config=configs/i_naturalist2021.py --workdir=... \
        --config.hierarchy=FILE

TFDS prepares 2.7 million images once. The official validation
images test; the last ten training images of every class validate. Rates and
schedule are those of the HAFrame paper for iNaturalist 2019. Wants an
accelerator.
"""

from configs import common


def get_config(variant=None):
  return common.resnet_50_config(
    variant, 'i_naturalist2021', gamma=3.0, alpha=0.5
  )
