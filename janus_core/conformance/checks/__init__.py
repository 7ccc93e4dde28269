"""The checks, one file a topic; the order of the imports is the order in which they run: causes first."""

from janus_core.conformance.checks import declaration as declaration  # isort: skip
from janus_core.conformance.checks import process as process  # isort: skip
from janus_core.conformance.checks import imports as imports  # isort: skip
from janus_core.conformance.checks import facts as facts  # isort: skip
from janus_core.conformance.checks import behaviour as behaviour  # isort: skip
from janus_core.conformance.checks import weights as weights  # isort: skip
from janus_core.conformance.checks import transform as transform  # isort: skip
from janus_core.conformance.checks import inputs as inputs  # isort: skip
from janus_core.conformance.checks import pictures as pictures  # isort: skip
from janus_core.conformance.checks import codes as codes  # isort: skip
from janus_core.conformance.checks import grid as grid  # isort: skip
from janus_core.conformance.checks import adapters as adapters  # isort: skip
from janus_core.conformance.checks import heads as heads  # isort: skip
from janus_core.conformance.checks import sampling as sampling  # isort: skip
from janus_core.conformance.checks import sequences as sequences  # isort: skip
from janus_core.conformance.checks import training as training  # isort: skip
from janus_core.conformance.checks import scale as scale  # isort: skip
from janus_core.conformance.checks import elsewhere as elsewhere  # isort: skip
