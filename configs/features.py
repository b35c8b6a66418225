# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
r"""A head on frozen features of any backbone, in minutes on a laptop.

    python -m hafjax.main --config=configs/features.py --workdir=... \
        --config.data_dir=FOLDER --config.hierarchy=FILE

FOLDER holds train.npz and test.npz, perhaps val.npz, each with the arrays
`features` [N, d] and `labels` [N]; or train_features.npy and train_labels.npy,
and so on, which may be larger than memory. See hafjax/data/features.py.
"""

from configs import common


def get_config(variant=None):
  config = common.get_config(variant, 'features')
  config.model = 'identity'
  if config.top == 'transform':
    # A linear map and BatchNorm: the type II top has four square layers more.
    config.top = 'linear'
  config.batch_size = 256
  config.num_epochs = 10
  config.eval_batch_size = 1000
  config.lr.update(backbone=0.1, transformation=0.1, classifier=0.1)
  return config
