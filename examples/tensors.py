"""Every tensor of an inference, bit for bit: what a design that is to be verified must give."""

import hashlib

from intarsia.model.data.scenes import generate
from intarsia.model.integer.artifact import load_artifact
from intarsia.model.integer.executor import Executor
from intarsia.model.predict import DEFAULT_ARTIFACT

executor = Executor(load_artifact(DEFAULT_ARTIFACT))
for name, array in executor.tensors(generate(seed=0).image):
    digest = hashlib.sha256(array.tobytes()).hexdigest()[:12]
    print(f"{name:28} {array.dtype!s:6} {array.shape!s:16} {array.min():6} to {array.max():5}  {digest}")
