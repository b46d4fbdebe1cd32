"""The briefing as text for whoever reads it. Pure."""

from loop.researchers.researcher import Briefing


def for_command(briefing: Briefing) -> str:
    """The briefing as plain text for a coding agent that stands in a checkout of the champion's files."""
    contract, champion = briefing.contract, briefing.champion
    parts = [
        f"You propose experiment {briefing.next_id} of a study. Change only {', '.join(contract.edit)} in this folder, "
        f"so that `{contract.run}` ends with a {'lower' if contract.goal == 'min' else 'higher'} {contract.metric} "
        f"within {contract.budget:g} s of training. It is run and measured elsewhere once you have ended.",
        briefing.program.strip(),
        f"The champion is experiment {champion.id}, {contract.metric} {champion.metric}. So far:",
        "\n".join(f"{x.id}\t{x.verdict or x.phase}\t{x.metric}\t{x.title}" for x in briefing.experiments),
    ]
    said = [*(f"- {pin}" for pin in briefing.pins), *(f"- {words}" for words in briefing.words)]
    if said:
        parts.append("The person says:\n" + "\n".join(said))
    if briefing.notebook:
        parts.append("Notebook:\n" + "\n".join(f"- {note}" for note in briefing.notebook))
    parts.append(
        "End your last message with these lines:\ntitle: <what you changed>\nhypothesis: <why it should help>\n"
        "expected: <by how much>\nnote: <what you learnt; leave it out, or repeat it>"
    )
    return "\n\n".join(part for part in parts if part) + "\n"
