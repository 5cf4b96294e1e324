#!/usr/bin/env bash
# benchmarks/gather.sh [PYTHON]: gathers in wheels/ what a machine without
# network lacks to run benchmarks/offline.py: Chainer, built here, and packages
# that are pure Python, but for NLTK's regex, which is for this version of
# Python. NumPy, CuPy and PyTorch are to be there already.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"${1:-python3}" -m venv "$work/venv"
pip=("$work/venv/bin/python" -m pip --disable-pip-version-check --quiet)
"${pip[@]}" install 'setuptools<81' wheel
"${pip[@]}" wheel --no-deps --no-build-isolation --wheel-dir "$work/wheels" \
    chainer==7.8.1
"${pip[@]}" download --no-deps --only-binary :all: --dest "$work/wheels" \
    filelock packaging six typing_extensions \
    pytest iniconfig pluggy pygments pytest-xdist execnet \
    nltk click joblib tqdm regex threadpoolctl
rm -rf wheels
mv "$work/wheels" wheels
du -sh wheels/*
