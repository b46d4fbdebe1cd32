"""A run's home, its caches, its temporary folder and its network, and what is left of them: real runs."""

import socket
from pathlib import Path

import pytest

from loop.sandbox import caches, scratch
from tests.sandbox.cells import KINDS, MARKER
from tests.sandbox.furnished import TELL, Project, only, project

__all__ = ["project"]

# --- the home ------------------------------------------------------------------------------------------------------


def hugging_face(project: Project, folder: str = ".cache/huggingface") -> Path:
    """A cache as the hub's and the data sets' libraries leave it."""
    cache = project.home / folder
    snapshot = cache / "hub" / "models--gpt2" / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    blobs = snapshot.parents[1] / "blobs"
    blobs.mkdir()
    (blobs / "f00").write_text("weights" + "." * caches.SMALL)
    (snapshot / "model.bin").symlink_to("../../blobs/f00")
    (snapshot.parents[1] / "refs").mkdir()
    (snapshot.parents[1] / "refs" / "main").write_text("abc")
    (cache / "hub" / ".locks").mkdir()
    (cache / "hub" / ".locks" / "f00.lock").write_text("")
    (cache / "token").write_text(MARKER)
    (cache / "stored_tokens").write_text(MARKER)
    return cache


async def test_caches_can_be_read_and_locked_and_nothing_lasts(project: Project) -> None:
    only(project, *KINDS)
    cache = hugging_face(project)
    before = sorted(map(str, cache.rglob("*")))
    hub = "~/.cache/huggingface/hub"
    train = (
        TELL + f'tell(weights=lambda: read("{hub}/models--gpt2/snapshots/abc/model.bin")[:7],'
        f'main=lambda: read("{hub}/models--gpt2/refs/main"), lock=lambda: write("{hub}/.locks/f00.lock", "x"),'
        f'left=lambda: write("{hub}/models--gpt2/left", "x"), ref=lambda: write("{hub}/models--gpt2/refs/main"),'
        f'spoil=lambda: write("{hub}/models--gpt2/blobs/f00"), token=lambda: read("~/.cache/huggingface/token"),'
        'offline=lambda: os.environ["HF_HUB_OFFLINE"])'
    )
    for _ in range(2):  # the second finds nothing of the first
        told = await project.told(train)
        assert (told["weights"], told["main"], told["offline"]) == ("weights", "abc", "1")
        assert told["lock"] == told["left"] == told["ref"] == "written"
        assert "Error" in told["spoil"] and "FileNotFoundError" in told["token"]
    assert sorted(map(str, cache.rglob("*"))) == before
    assert (cache / "hub/models--gpt2/blobs/f00").read_text().startswith("weights")


async def test_compilers_in_the_home_are_read_where_they_are_and_the_key_beside_them_is_not(project: Project) -> None:
    only(project, *KINDS)
    for name in (".rustup/settings.toml", ".cargo/bin/rustc", ".cargo/registry/a", ".cargo/credentials.toml"):
        (project.home / name).parent.mkdir(parents=True, exist_ok=True)
        (project.home / name).write_text(MARKER)
    project.put("Cargo.toml", "[package]\n")
    told = await project.told(
        TELL + 'tell(rustup=lambda: read("~/.rustup/settings.toml"), shim=lambda: read("~/.cargo/bin/rustc"),'
        'crate=lambda: read("~/.cargo/registry/a"), key=lambda: read("~/.cargo/credentials.toml"),'
        'spoil=lambda: write("~/.rustup/settings.toml"),'
        # Cargo looks for one in each folder above, and gives up where it is there and cannot be read.
        f"above=lambda: read({str(project.root / 'Cargo.toml')!r}))"
    )
    assert told["rustup"] == told["shim"] == told["crate"] == MARKER
    assert "FileNotFoundError" in told["key"] and "Error" in told["spoil"]
    assert project.kind == "bubblewrap" or told["above"] == "[package]\n"


async def test_the_token_is_out_of_reach_by_every_name(project: Project) -> None:
    only(project, *KINDS)
    cache = hugging_face(project)
    told = await project.told(
        TELL + f"places = [{str(cache)!r}, os.path.expanduser('~/.cache/huggingface'), '/run/looptop/caches/0',"
        "'/run/looptop/caches/0/..', os.path.realpath(os.path.expanduser("
        "'~/.cache/huggingface/hub/models--gpt2/blobs/f00')) + '/../../../..']\n"
        "tell(**{f'{n}{name}': (lambda p=f'{place}/{name}': read(p)) for n, place in enumerate(places)"
        " for name in ('token', 'stored_tokens')})"
    )
    assert len(told) == 10 and all("Error" in answer for answer in told.values()), told


async def test_a_variable_that_puts_a_cache_elsewhere_is_obeyed(project: Project) -> None:
    only(project, *KINDS)
    elsewhere = hugging_face(project, "other disk/hf")
    project.environment = {"HF_HOME": str(elsewhere)}
    told = await project.told(
        TELL + "hub = os.environ['HF_HOME'] + '/hub/models--gpt2'\n"
        "tell(weights=lambda: read(f'{hub}/snapshots/abc/model.bin')[:7], token=lambda: read(f'{hub}/../../token'),"
        "left=lambda: write(f'{hub}/left'))"
    )
    assert (told["weights"], told["left"]) == ("weights", "written") and "Error" in told["token"]
    assert not list(elsewhere.rglob("left"))


async def test_what_may_be_written_to_stays_and_nothing_beside_it(project: Project) -> None:
    (project.root / "results").mkdir()
    (project.home / "shared").mkdir()
    (project.home / "not shared").mkdir()
    project.says(write=("results", "~/shared"))
    told = await project.told(
        TELL + 'tell(results=lambda: write("results/a"), shared=lambda: write("~/shared/a"),'
        f"absolute=lambda: write({str(project.root / 'results' / 'b')!r}),"
        f"beside=lambda: write({str(project.home / 'not shared' / 'a')!r}))"
    )
    assert told["results"] == told["shared"] == told["absolute"] == "written"
    assert sorted(path.name for path in (project.root / "results").iterdir()) == ["a", "b"]
    assert (project.home / "shared" / "a").read_text() == "I was here"
    if project.kind != "off":
        assert not list((project.home / "not shared").iterdir())


async def test_a_home_of_a_runs_own_is_in_the_place_of_the_persons(project: Project) -> None:
    only(project, "bubblewrap")
    (project.home / ".ssh").mkdir()
    (project.home / ".ssh" / "id").write_text(MARKER)
    told = await project.told(
        TELL + 'tell(home=lambda: os.environ["HOME"], key=lambda: read("~/.ssh/id"), left=lambda: write("~/left"))'
    )
    assert (told["home"], told["left"]) == (str(project.home), "written")
    assert "FileNotFoundError" in told["key"] and not (project.home / "left").exists()


# --- sockets and networks ------------------------------------------------------------------------------------------


async def test_sockets_fit_below_tmpdir_however_deep_the_checkout_is(tmp_path: Path, project: Project) -> None:
    deep = Project(tmp_path / "home of somebody" / "projects" / "of a long name" / ("and longer" * 6), project.sandbox)
    assert len(str(deep.root)) > 150
    told = await deep.told(
        "import json, multiprocessing as mp\n"
        "with mp.get_context('fork').Manager() as held:\n    print(json.dumps({'said': held.list(['hello'])[0]}))\n"
    )
    assert told == {"said": "hello"}
    assert not [link for link in scratch._links() if link.readlink().is_relative_to(deep.root)]


def test_a_link_that_a_dead_supervisor_left_is_swept(project: Project) -> None:
    folder = project.root / ("long" * 20) / ".looptop"
    folder.mkdir(parents=True)
    link = scratch.shortened(folder / "runs")
    assert link != folder / "runs" and link.is_symlink()
    scratch.forget(project.root / ("lo" * 20))
    assert link.is_symlink(), "another's"
    scratch.forget(folder)
    assert not link.is_symlink()


TALK = (
    TELL
    + """
import socket
def loopback():
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as there:
        server.accept()[0].sendall(b"hello")
        return there.recv(5).decode()
def outside():
    with socket.create_connection(("127.0.0.1", %d), timeout=5):
        return "reached"
def datagram():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as there:
        there.sendto(b"x", ("127.0.0.1", %d))
        return "sent"
tell(loopback=loopback, outside=outside, datagram=datagram, names=lambda: read("/etc/resolv.conf") and "known")
"""
)

OPEN = {
    ("bubblewrap", "off"): {"loopback": True, "outside": False, "datagram": True, "names": False},
    ("bubblewrap", "loopback"): {"loopback": True, "outside": False, "datagram": True, "names": False},
    ("bubblewrap", "on"): {"loopback": True, "outside": True, "datagram": True, "names": True},
    ("landlock", "off"): {"loopback": False, "outside": False, "datagram": False, "names": False},
    ("landlock", "loopback"): {"loopback": True, "outside": True, "datagram": False, "names": False},
    ("landlock", "on"): {"loopback": True, "outside": True, "datagram": True, "names": True},
}
"""What works. A datagram on a loopback of the run's own reaches nobody."""


@pytest.mark.parametrize("network", ["off", "loopback", "on"])
async def test_a_network_is_as_open_as_the_program_says(project: Project, network: str) -> None:
    only(project, *KINDS)
    project.says(network=network)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        told = await project.told(TALK % (port, port))
    works = {name: answer in ("hello", "reached", "sent", "known") for name, answer in told.items()}
    expected = OPEN[project.kind, network]
    if not Path("/etc/resolv.conf").read_text().strip():
        expected = expected | {"names": False}
    assert works == expected, told
    opened = project.sandbox.opened(network)
    assert bool(opened) == expected["outside"] and (not opened or f"`network: {network}`" in opened)


# --- the copies of caches ------------------------------------------------------------------------------------------


def test_a_cache_of_too_many_files_is_linked_as_a_whole_below_the_top(tmp_path: Path) -> None:
    source = tmp_path / "cache"
    for number in range(30):
        (source / "many" / str(number)).mkdir(parents=True)
        (source / "many" / str(number) / "x").write_text("x")
    (source / "few").mkdir()
    (source / "few" / "x").write_text("x")
    used = caches.plant(str(source), str(tmp_path / "copy"), str(source), room=10)
    assert used <= 10
    assert (tmp_path / "copy").is_dir() and not (tmp_path / "copy").is_symlink()
    assert (tmp_path / "copy" / "many").is_symlink() and (tmp_path / "copy" / "many" / "7" / "x").read_text() == "x"
    assert not (tmp_path / "copy" / "few").is_symlink() and (tmp_path / "copy" / "few" / "x").read_text() == "x"


def test_which_caches_there_are_is_a_matter_of_home_and_variables(tmp_path: Path) -> None:
    for place in (".cache/torch", "nltk_data", "elsewhere/hub"):
        (tmp_path / place).mkdir(parents=True)
    known, variables = caches.found(str(tmp_path), {"HF_HUB_CACHE": "~/elsewhere/hub", "NLTK_DATA": ""})
    assert {cache.place for cache in known} == {".cache/torch", "nltk_data", ".cache/huggingface/hub"}
    assert variables == {"HF_HUB_CACHE": ".cache/huggingface/hub"}
    general, _ = caches.found(str(tmp_path / "x"), {"XDG_CACHE_HOME": str(tmp_path / ".cache")})
    assert [cache.place for cache in general] == [".cache/torch"]
