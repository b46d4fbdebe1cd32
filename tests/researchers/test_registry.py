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
from loop.researchers.protocol import NothingLeft, ProposalFailed, Researcher, Unusable
from loop.study.contract import Contract
from loop.study.team import Member

SETTINGS = Settings(model="m", base_url="http://localhost:1/v1")


def test_a_flag_goes_before_the_program_and_the_program_before_the_settings() -> None:
    program, settings = Contract(researcher="sh a.sh"), Settings(researcher="llm")
    assert kinds(Overrides(researcher=("automl",)), program, settings) == ["automl"]
    assert kinds(Overrides(), program, settings) == ["sh a.sh"]
    assert kinds(Overrides(), Contract(), settings) == ["llm"]
    assert kinds(Overrides(), None, Settings()) == ["automl"]
    assert kinds(Overrides(), None, SETTINGS) == ["llm"]


def kinds(options: Overrides, contract: Contract | None, settings: Settings) -> list[str]:
    return [member.kind for member in registry.team(options, contract, settings)]


def test_each_of_a_team_has_a_name_of_its_own_which_follows_from_its_place() -> None:
    asked = ["llm", {"kind": "llm", "name": "llm-2"}, "llm", "automl", "automl", "KEY=1 /opt/claude -p", "claude -p"]
    program = Contract.model_validate({"researchers": [*asked, "git status", "'my agent'"]})
    team = registry.team(Overrides(), program, SETTINGS)
    names = ["llm", "llm-2", "llm-3", "automl", "automl-2", "claude", "claude-2", "git-agent", "my-agent"]
    assert [member.name for member in team] == names
    assert [member.at_once for member in team] == [8, 8, 8, 1, 1, 2, 2, 2, 2]
    flags = registry.team(Overrides.model_validate({"researcher": ["automl", "llm"]}), program, SETTINGS)
    assert [member.name for member in flags] == ["automl", "llm"]
    before = Overrides.model_validate({"researcher": "automl"})  # as an earlier version put it on record
    assert kinds(before, program, SETTINGS) == ["automl"]


def test_a_hybrid_is_a_language_model_and_automl_that_share_its_part() -> None:
    (model, automl) = registry.team(Overrides(researcher=("hybrid",)), None, SETTINGS)
    assert [(one.kind, one.name, one.at_once) for one in (model, automl)] == [
        ("llm", "llm", 8),
        ("automl", "automl", 1),
    ]
    assert model.share + automl.share == pytest.approx(2) and model.share == pytest.approx(0.6)
    entry = {"kind": "hybrid", "name": "mix", "model": "big", "at_once": 3, "usd": 5, "role": "Be bold.", "share": 0.5}
    program = Contract.model_validate({"researchers": ["llm", entry, {"kind": "llm", "name": "mix-llm"}, "hybrid"]})
    team = registry.team(Overrides(), program, SETTINGS)
    assert [one.name for one in team] == ["llm", "mix-llm-2", "mix-automl", "mix-llm", "llm-2", "automl"]
    assert (team[1].model, team[1].at_once, team[1].usd, team[1].role) == ("big", 3, 5, "Be bold.")
    assert (team[2].model, team[2].usd, team[2].share) == (None, None, pytest.approx(0.7))
    registry.check("hybrid")


def engage(kind: str) -> Researcher:
    return registry.engage(Member(kind=kind, name="it"), SETTINGS)


def test_a_kind_is_a_row_of_the_table_or_else_a_command() -> None:
    assert isinstance(engage("automl"), AutoML)
    assert isinstance(engage("llm"), LanguageModel)
    assert isinstance(engage("sh a.sh"), Command)
    with pytest.raises(UnknownResearcher, match="called 'oracle'; known: automl, llm, random, hybrid, or the command"):
        engage("oracle")


@pytest.mark.parametrize(
    "failure",
    [
        *(ProposalFailed, AgentFailed, NothingLeft, Unusable, UnknownResearcher, EstimatorEnded),
        *(faults.TransientError, faults.ContextTooLong, faults.UnsupportedParameter, faults.RequestRefused),
    ],
)
def test_every_expected_failure_is_told_as_a_sentence(failure: type[Exception]) -> None:
    assert issubclass(failure, UserError), "anything else is recorded as a defect, with its traceback"
