import qrnn  # NOQA  before Chainer: it mends Chainer's import
