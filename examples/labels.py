"""A picture to labels: the shipped model on a generated street scene, with integers only."""

import numpy as np

from intarsia.model.data.scenes import CLASSES, generate
from intarsia.model.integer.artifact import load_artifact
from intarsia.model.integer.executor import Executor
from intarsia.model.predict import DEFAULT_ARTIFACT

scene = generate(seed=7)  # a picture uint8 [H, W, 3] and the label of every pixel
executor = Executor(load_artifact(DEFAULT_ARTIFACT))
labels = executor.run(scene.image)

for number, name in enumerate(CLASSES):
    found, true = np.mean(labels == number), np.mean(scene.label == number)
    print(f"{name:12} {found:6.1%} of the pixels, {true:6.1%} in truth")
print(f"{np.mean(labels == scene.label):.1%} of the labels are right")
