"""What the paper printed, to put ours beside it. Its decimal commas are written as points."""

from typing import Final

# Table 4: name as printed, precision, recall, F1, support, in code order.
TABLE_4: Final = (
    ("0-nv", 0.99, 1.00, 1.00, 1359),
    ("1-mel", 0.98, 1.00, 0.99, 1318),
    ("2-bkl", 0.96, 0.98, 0.97, 1262),
    ("3-bcc", 1.00, 1.00, 1.00, 1351),
    ("4-vasc", 0.99, 0.88, 0.93, 1374),
    ("5-akiec", 1.00, 1.00, 1.00, 1358),
    ("6-df", 0.94, 0.99, 0.97, 1365),
)
TABLE_5: Final = {"Accuracy": 0.98, "Precision": 0.98, "Recall": 0.98, "F1-score": 0.98}
TABLE_6: Final = {"accuracy": 0.98, "loss": 0.19}
TABLE_7: Final = (
    ("InceptionV3", 91.56),
    ("InceptionResNetV2", 93.20),
    ("Xception", 91.47),
    ("Shifted 2-Nets", 83.20),
    ("EW-FCM+wide-shufflenet", 84.80),
    ("Proposed model", 98.00),
)
TRAINING_MINUTES: Final = 25
SAMPLE_MS: Final = 0.130
