"""The seven lesion classes of HAM10000, under their ISIC codes."""

from enum import StrEnum
from typing import Final


class LesionClass(StrEnum):
    AKIEC = "akiec"
    BCC = "bcc"
    BKL = "bkl"
    DF = "df"
    MEL = "mel"
    NV = "nv"
    VASC = "vasc"


FULL_NAME: Final = {
    LesionClass.AKIEC: "actinic keratosis / Bowen's disease",
    LesionClass.BCC: "basal cell carcinoma",
    LesionClass.BKL: "benign keratosis",
    LesionClass.DF: "dermatofibroma",
    LesionClass.MEL: "melanoma",
    LesionClass.NV: "melanocytic nevus",
    LesionClass.VASC: "vascular lesion",
}

# Actinic keratosis counts as malignant with the carcinoma in situ that it shares its class with.
MALIGNANT: Final = frozenset({LesionClass.MEL, LesionClass.BCC, LesionClass.AKIEC})

DISCLAIMER: Final = "research use only, not a diagnosis"
