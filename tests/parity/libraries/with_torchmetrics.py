"""torchmetrics: metrics of classes, numbers, images, text and retrieval, updated in parts, collected and pickled."""

import pickle

import torch
import torchmetrics
from torchmetrics import classification, regression
from torchmetrics.image import PeakSignalNoiseRatio, StructuralSimilarityIndexMeasure
from torchmetrics.retrieval import RetrievalMAP
from torchmetrics.text import Perplexity

torch.manual_seed(0)
chances, classes = torch.rand(64, 5).softmax(-1), torch.randint(0, 5, (64,))
for metric in [
    classification.MulticlassAccuracy(5),
    classification.MulticlassAUROC(5),
    classification.MulticlassF1Score(5, average="macro"),
    classification.MulticlassPrecision(5),
    classification.MulticlassRecall(5),
    classification.MulticlassAveragePrecision(5),
    classification.MulticlassCalibrationError(5),
    classification.MulticlassCohenKappa(5),
    classification.MulticlassMatthewsCorrCoef(5),
    classification.MulticlassSpecificity(5),
    classification.MulticlassJaccardIndex(5),
    classification.MulticlassHingeLoss(5),
    torchmetrics.Accuracy(task="multiclass", num_classes=5, top_k=2),
]:
    metric.update(chances[:32], classes[:32])
    metric.update(chances[32:], classes[32:])
    print(metric.compute().item())
print(classification.MulticlassConfusionMatrix(5)(chances, classes).float().pow(2).sum().item())
print(classification.MulticlassAUROC(5, thresholds=20)(chances, classes).item())

scores, truths = torch.rand(100), torch.randint(0, 2, (100,))
for metric in [
    classification.BinaryAccuracy(),
    classification.BinaryAUROC(),
    classification.BinaryF1Score(),
    classification.BinaryAveragePrecision(),
    classification.BinaryStatScores(),
]:
    print(metric(scores, truths).float().sum().item())
print(*[curve.sum().item() for curve in classification.BinaryROC()(scores, truths)[:2]])
print(*[curve.sum().item() for curve in classification.BinaryPrecisionRecallCurve()(scores, truths)])

u, v = torch.randn(50), torch.randn(50)
for metric in [
    regression.MeanSquaredError(),
    regression.MeanAbsoluteError(),
    regression.R2Score(),
    regression.PearsonCorrCoef(),
    regression.SpearmanCorrCoef(),
    regression.KendallRankCorrCoef(),
    regression.ExplainedVariance(),
    regression.ConcordanceCorrCoef(),
    regression.LogCoshError(),
]:
    print(metric(u, v).item())
print(regression.CosineSimilarity()(u[None], v[None]).item())

both = torchmetrics.MetricCollection([classification.MulticlassAccuracy(5), classification.MulticlassF1Score(5)])
print(*[value.item() for value in both(chances, classes).values()])
mean = torchmetrics.MeanMetric()
mean.update(1.0)
mean.update(torch.tensor([2.0, 3.0]))
print(mean.compute().item())
one, other = torch.rand(2, 3, 16, 16), torch.rand(2, 3, 16, 16)
print(PeakSignalNoiseRatio(data_range=1.0)(one, other).item())
print(StructuralSimilarityIndexMeasure(data_range=1.0, kernel_size=5)(one, other).item())
print(Perplexity()(torch.randn(2, 8, 5), torch.randint(0, 5, (2, 8))).item())
print(RetrievalMAP()(scores, truths, indexes=torch.arange(100) // 10).item())
print(pickle.loads(pickle.dumps(classification.MulticlassAccuracy(5)))(chances, classes).item())
