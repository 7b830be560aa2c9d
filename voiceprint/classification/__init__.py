"""Closed-set classification: which of the people that a model was trained on speaks; without torch."""

from voiceprint.classification.classifier import (
    Classification,
    Classifier,
    ClipOutputs,
    Encode,
    EncoderClassifier,
    cut_windows,
    speech_windows,
)
from voiceprint.classification.evaluation import (
    ClassFigures,
    ClassificationReport,
    evaluate_classifier,
    figures_of,
)
from voiceprint.classification.head import (
    CosineHead,
    Head,
    LinearHead,
    pack_head,
    to_probabilities,
    unpack_head,
)
from voiceprint.classification.prediction import (
    CLASSIFIER_FILE,
    ClassifierModel,
    ClassProbability,
    Prediction,
)
from voiceprint.classification.rejection import (
    Rejection,
    centroids_of,
    fit_rejection,
    similarity,
)

__all__ = [
    "CLASSIFIER_FILE",
    "ClassFigures",
    "ClassProbability",
    "Classification",
    "ClassificationReport",
    "Classifier",
    "ClassifierModel",
    "ClipOutputs",
    "CosineHead",
    "Encode",
    "EncoderClassifier",
    "Head",
    "LinearHead",
    "Prediction",
    "Rejection",
    "centroids_of",
    "cut_windows",
    "evaluate_classifier",
    "figures_of",
    "fit_rejection",
    "pack_head",
    "similarity",
    "speech_windows",
    "to_probabilities",
    "unpack_head",
]
