"""skorch: classifiers with callbacks, pickling, saved parameters, a grid search of scikit-learn, a regressor."""

import pickle
import tempfile

import numpy as np
import torch
from sklearn.datasets import make_classification
from sklearn.model_selection import GridSearchCV
from skorch import NeuralNetClassifier, NeuralNetRegressor
from skorch.callbacks import EpochScoring, GradientNormClipping, LRScheduler
from torch import nn

X, y = make_classification(200, 20, n_informative=10, random_state=0)
X, y = X.astype(np.float32), y.astype(np.int64)


class Classifier(nn.Module):
    def __init__(self, num_units=10):
        super().__init__()
        self.dense0 = nn.Linear(20, num_units)
        self.dropout = nn.Dropout(0.5)
        self.dense1 = nn.Linear(num_units, num_units)
        self.output = nn.Linear(num_units, 2)

    def forward(self, x):
        hidden = self.dropout(torch.relu(self.dense0(x)))
        return torch.softmax(self.output(torch.relu(self.dense1(hidden))), dim=-1)


class Regressor(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(20, 1)

    def forward(self, x):
        return self.linear(x)


torch.manual_seed(0)
callbacks = [
    EpochScoring("roc_auc", lower_is_better=False),
    ("lr", LRScheduler("StepLR", step_size=3)),
    GradientNormClipping(1.0),
]
net = NeuralNetClassifier(
    Classifier, max_epochs=10, lr=0.1, iterator_train__shuffle=True, verbose=0, callbacks=callbacks
)
net.fit(X, y)
for row in net.history:
    print(row["train_loss"], row["valid_loss"], row["valid_acc"], row["roc_auc"])
print(net.predict_proba(X)[0, 0], net.score(X, y))
again = pickle.loads(pickle.dumps(net))
print(np.abs(again.predict_proba(X) - net.predict_proba(X)).max())
with tempfile.TemporaryDirectory() as folder:
    files = {"f_params": f"{folder}/p.pt", "f_optimizer": f"{folder}/o.pt", "f_history": f"{folder}/h.json"}
    net.save_params(**files)
    net.load_params(**files)

torch.manual_seed(1)
candidate = NeuralNetClassifier(Classifier, max_epochs=2, verbose=0, train_split=False)
grid = {"lr": [0.05, 0.1], "module__num_units": [5, 10]}
print(GridSearchCV(candidate, grid, refit=False, cv=2, scoring="accuracy").fit(X, y).best_score_)

torch.manual_seed(2)
regressor = NeuralNetRegressor(Regressor, max_epochs=5, lr=0.01, verbose=0, optimizer=torch.optim.Adam)
regressor.fit(X, y[:, None].astype(np.float32))
print(*map(float, regressor.history[:, "train_loss"]))
