"""Agents that tell their session: questions, experiments that go back to it, keys, limits and silence."""

import pytest

from loop.study import events as e
from tests.researchers.agents.scripts import CLOSE, IMPROVE, LOWER, Agents, Claude


async def test_a_question_is_answered_once_in_the_same_session_and_shown(agents: Agents) -> None:
    claude = Claude(
        agents.folder, '[ "$turn" != 1 ] || { say "Wide or narrow?"; exit; }\n' + LOWER + 'say "title: less"\n'
    )
    study = await agents.work(agents.command(f"'{claude.program}' -p", 30))
    assert [x.title for x in study.experiments.values()][1:] == ["less", "less"]
    assert claude.calls()[:2] == ["-p", "--resume s-1 -p"]
    (asked,) = agents.faults()
    assert asked == "it asks: Wide or narrow? (it is told that nobody is there, and to decide by itself)"
    assert study.troubles == {} and study.experiments[1].researcher == "claude"


async def test_one_that_asks_again_is_no_proposal(agents: Agents) -> None:
    claude = Claude(agents.folder, '[ "$turn" -gt 2 ] || { say "Wide or narrow?"; exit; }\n' + LOWER)
    study = await agents.work(agents.command(f"'{claude.program}' -p", 30))
    assert agents.faults()[1:] == ["it asks again, though it was told to decide: Wide or narrow?"]
    assert study.experiments[1].verdict == "kept"


async def test_an_experiment_that_came_to_nothing_goes_back_to_its_session(agents: Agents) -> None:
    breaks = "sed -i 's/^# one/exit 7/' run.sh; say 'title: shorter'\n"
    mends = "grep -c 'exit 7' run.sh; sed -i 's/^exit 7/# one/' run.sh; " + LOWER + "say 'title: shorter, mended'\n"
    claude = Claude(agents.folder, f'if [ "$turn" = 1 ]; then {breaks} else {mends} fi\n')
    study = await agents.work(agents.command(f"'{claude.program}' -p", 30))
    first, second = study.experiments[1], study.experiments[2]
    assert (first.verdict, second.verdict) == ("crashed", "kept")
    assert second.title == "shorter, mended (repair of 1)" and second.notes["repairs"] == 1
    assert claude.calls() == ["-p", "--resume s-1 -p"]
    told = (agents.out / "told").read_text()
    assert "exit code 7" in told and "holds the champion with your edit of then" in told
    assert "\n1\n" in agents.thoughts(), "its edit was in the files"


async def test_a_session_that_is_gone_is_gone_back_to_once(agents: Agents) -> None:
    gone = '[ "$1" != --resume ] || { echo "No conversation found"; exit 1; }\n'
    breaks = "sed -i 's/^# one/exit 7/' run.sh\n"
    claude = Claude(agents.folder, f'{gone}if [ "$turn" = 1 ]; then {breaks} else {LOWER} fi\n')
    study = await agents.work(agents.command(f"'{claude.program}' -p", 30))
    assert claude.calls() == ["-p", "--resume s-1 -p", "-p"]
    assert [x.verdict for x in study.experiments.values()] == ["kept", "crashed", "kept"]


async def test_a_key_that_is_refused_ends_the_agent_at_once_and_asks_for_a_person(agents: Agents) -> None:
    error = '"retry_delay_ms":600000,"error_status":401,"error":"authentication_failed"'
    retry = f'{{"type":"system","subtype":"api_retry",{error}}}'
    claude = Claude(agents.folder, f"for i in 1 2; do echo '{retry}'; done; sleep 600\n")
    study = await agents.work(agents.command(f"'{claude.program}' -p", 600))
    assert agents.faults()[-1] == (
        "it cannot use its account or its model (401: authentication failed); mend that, and start `looptop` again"
    )
    assert study.supervisor is not None and study.supervisor.failed and len(claude.calls()) == 1


async def test_a_limit_is_waited_for_and_an_outage_that_passes_is_told(agents: Agents) -> None:
    limit = '{"type":"result","subtype":"success","is_error":true,"result":"rate limit, try again in 0.01 s"}'
    outage = '{"type":"system","subtype":"api_retry","retry_delay_ms":100,"error_status":529,"error":"overloaded"}'
    script = f"[ \"$turn\" != 1 ] || {{ echo '{limit}'; exit 1; }}\necho '{outage}'\n{LOWER}say 'title: less'\n"
    study = await agents.work(agents.command(f"'{Claude(agents.folder, script).program}' -p", 30))
    assert agents.faults()[:2] == ["its account is at a limit (rate limit, try again in 0.01 s)", "529: overloaded"]
    assert study.troubles == {} and study.experiments[1].title == "less"


async def test_silence_is_told_and_nothing_else_happens(agents: Agents, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loop.researchers.agents.relay.SILENCE_S", 0.05)
    wait = f'while [ ! -e "{agents.folder}/told" ]; do sleep 0.05; done\n'

    def act(event: e.Event) -> None:
        if isinstance(event.body, e.Fault):
            (agents.folder / "told").touch()

    study = await agents.work_while(act, agents.agent(wait + IMPROVE + CLOSE))
    assert agents.faults()[0].startswith("it has printed nothing for ")
    assert study.experiments[1].verdict == "kept"
