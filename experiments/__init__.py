"""The paper's experiments, one folder each, and what they share."""
import qrnn  # noqa: F401  mends Chainer before a module here imports it
