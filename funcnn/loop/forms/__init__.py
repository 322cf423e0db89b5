"""The forms: the ways in which a loop can do the same arithmetic.

``FORMS`` is the registry: what a user may ask for, what ``form="auto"`` chooses from, and
the reasons why a form is refused all follow from it.
"""

from funcnn.loop.forms.direct import DIRECT
from funcnn.loop.forms.first_layer import FIRST_LAYER
from funcnn.loop.forms.form import Cost, Form, Kept, Shapes
from funcnn.loop.forms.quadratic import QUADRATIC
from funcnn.loop.forms.whole import WHOLE

__all__ = ["FORMS", "NAMES", "Cost", "Form", "Kept", "Shapes"]

FORMS: tuple[Form, ...] = (DIRECT, QUADRATIC, FIRST_LAYER, WHOLE)

NAMES = tuple(dict.fromkeys(form.name for form in FORMS))
"""What a user may ask for: two forms have one name where at most one of them fits."""
