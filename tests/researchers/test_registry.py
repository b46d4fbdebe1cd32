"""Which researcher proposes, and what its failures are."""

import pytest

from loop.config.overrides import Overrides
from loop.config.settings import Settings
from loop.errors import UserError
from loop.researchers import registry
from loop.researchers.agents.command import AgentFailed, Command
from loop.researchers.agents.command_line import UnknownResearcher
from loop.researchers.automl.automl import AutoML
from loop.researchers.automl.estimator import EstimatorEnded
from loop.researchers.llm import faults
from loop.researchers.llm.researcher import LanguageModel
from loop.researchers.protocol import NothingLeft, ProposalFailed, Unusable
from loop.study.contract import Contract

SETTINGS = Settings(model="m", base_url="http://localhost:1/v1")


def test_a_flag_goes_before_the_program_and_the_program_before_the_settings() -> None:
    program, settings = Contract(researcher="sh a.sh"), Settings(researcher="llm")
    assert registry.named(Overrides(researcher="automl"), program, settings) == "automl"
    assert registry.named(Overrides(), program, settings) == "sh a.sh"
    assert registry.named(Overrides(), Contract(), settings) == "llm"
    assert registry.named(Overrides(), None, Settings()) == "automl"
    assert registry.named(Overrides(), None, SETTINGS) == "llm"


def test_a_name_is_a_row_of_the_table_or_else_a_command() -> None:
    assert isinstance(registry.engage("automl", SETTINGS), AutoML)
    assert isinstance(registry.engage("llm", SETTINGS), LanguageModel)
    assert isinstance(registry.engage("sh a.sh", SETTINGS), Command)
    with pytest.raises(UnknownResearcher, match="called 'oracle'; known: automl, llm, or the command line"):
        registry.engage("oracle", SETTINGS)


@pytest.mark.parametrize(
    "failure",
    [
        *(ProposalFailed, AgentFailed, NothingLeft, Unusable, UnknownResearcher, EstimatorEnded),
        *(faults.TransientError, faults.ContextTooLong, faults.UnsupportedParameter, faults.RequestRefused),
    ],
)
def test_every_expected_failure_is_told_as_a_sentence(failure: type[Exception]) -> None:
    assert issubclass(failure, UserError), "anything else is recorded as a defect, with its traceback"
