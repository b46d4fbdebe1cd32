"""Flags over what a person has set, and over the flags of earlier starts."""

import pytest
from pydantic import ValidationError

from loop.config.overrides import Overrides
from loop.config.settings import Settings


def test_the_nodes_of_a_cluster_are_named_and_stay_named_until_all_are_asked_for() -> None:
    named = Overrides.model_validate({"cluster_nodes": "gpu1, gpu2,gpu1"})
    assert named.cluster_nodes == ("gpu1", "gpu2")
    later = Overrides().over(named.model_dump(mode="json"))
    assert later.over_settings(Settings(cluster_nodes=("gpu3",))).cluster_nodes == ("gpu1", "gpu2")
    every = Overrides.model_validate({"cluster_nodes": "all"}).over(later.model_dump(mode="json"))
    assert every.over_settings(Settings(cluster_nodes=("gpu3",))).cluster_nodes == ()
    again = Overrides().over(every.model_dump(mode="json"))
    assert again.cluster_nodes == ()
    for wrong, said in ((" ", "it names no node"), ("a b", "is no name of a node"), (7, "write the names of nodes")):
        with pytest.raises(ValidationError, match=said):
            Overrides.model_validate({"cluster_nodes": wrong})
