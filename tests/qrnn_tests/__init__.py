import qrnn  # NOQA  before Chainer, which it patches
