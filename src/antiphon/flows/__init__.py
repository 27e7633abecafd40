"""What happens? The verbs: register, deploy, embed, define, configure, observe. Owns the ports they need."""

from antiphon.flows.configure import Configurator
from antiphon.flows.define import Definer
from antiphon.flows.deploy import Deployer
from antiphon.flows.embed import Predictor, TextEmbedder
from antiphon.flows.keep_house import Housekeeper
from antiphon.flows.loaded import LoadedModels
from antiphon.flows.observe import Observer
from antiphon.flows.ports import Ports
from antiphon.flows.register import Registrar
from antiphon.flows.tasks import TaskRunner

__all__ = [
    "Configurator",
    "Definer",
    "Deployer",
    "Housekeeper",
    "LoadedModels",
    "Observer",
    "Ports",
    "Predictor",
    "Registrar",
    "TaskRunner",
    "TextEmbedder",
]
