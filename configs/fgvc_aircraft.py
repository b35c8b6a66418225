# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
r"""FGVC-Aircraft as in the HAFrame paper: ResNet-50, 100 epochs, batch 64.

    python -m hafjax.main --config=configs/fgvc_aircraft.py --workdir=... \
        --config.data_dir=.../fgvc-aircraft-2013b

Liang and Davis, ICCV 2023: gamma 1.0, alpha 0.5, rates 0.01, 0.1 for the
transformation and a learned classifier. Images lose their banner and are
stretched to 224 pixels; training moves them by up to 4 and mirrors half. The
hierarchy is built from the annotations. The paper starts from weights of
ImageNet: --config.init_from=FILE. Wants an accelerator.
"""

from configs import common


def get_config(variant=None):
  config = common.resnet_50_config(
    variant, 'fgvc_aircraft', gamma=1.0, alpha=0.5
  )
  config.update(batch_size=64, eval_batch_size=64)
  config.lr.transformation = 0.1
  return config
