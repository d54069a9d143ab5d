"""Which files a list asks for, and which it removes, when its guard holds services in it."""

from __future__ import annotations

from pathlib import Path

from pyconsul.tools.template.deploy.fanout import Fanout
from pyconsul.tools.template.evaluate.evaluator import Evaluator
from pyconsul.tools.template.evaluate.guard import Guard, GuardLimits
from pyconsul.tools.template.evaluate.item_evaluators import ItemsEvaluator
from pyconsul.tools.template.feed import lookups
from pyconsul.tools.template.feed.answers import Answers
from pyconsul.tools.template.spec import Spec

LIST = lookups.services()


class Files:
    """A list whose services named db-… have a guard, after an evaluation with db-1, db-2 and web."""

    def __init__(self, folder: Path, for_each: str = "services()", item: str = "item.name") -> None:
        destination = f"{folder}/{{{{ {item} }}}}.conf"
        spec = Spec(destination, contents="x", for_each=for_each, prune=True)
        guard = Guard(lambda name: GuardLimits(1) if name.startswith("db-") else None)
        self.fanout, self.answers = (
            Fanout(spec, ItemsEvaluator(spec, Evaluator(spec, {}, guard)), wait=False),
            Answers(),
        )
        self.fanout.read_manifest()
        self.sees("db-1", "db-2", "web")

    def sees(self, *names: str) -> None:
        """Consul lists these."""
        self.answers.put(LIST, LIST.decode(dict.fromkeys(names, ())))
        self.fanout.notice({LIST})
        assert self.fanout.evaluate(self.answers, 0.0) is not None

    def save_manifest(self) -> None:
        write = self.fanout.manifest_write()
        assert write is not None
        write()

    def names(self, *, absent: bool = False) -> list[str]:
        """Of the files that are to be there, or to be removed."""
        renderings = [unit.renderings[0] for unit in self.fanout.units]
        return sorted(Path(one.spec.destination).stem for one in renderings if one.spec.absent is absent)


def test_the_files_of_held_services_stay(tmp_path: Path) -> None:
    files = Files(tmp_path)
    files.sees("db-2", "new")
    assert (files.names(), files.names(absent=True)) == (["db-1", "db-2", "new"], ["web"])
    assert files.fanout.rendering.evaluator.guard is not None
    assert files.fanout.rendering.evaluator.guard.release("db-1") == 1
    files.fanout.rendering.expire()
    files.sees("db-2", "new")
    assert (files.names(), files.names(absent=True)) == (["db-2", "new"], ["db-1", "web"])


def test_a_list_with_held_services_only_counts_as_empty(tmp_path: Path) -> None:
    for files in (Files(tmp_path), Files(tmp_path, "services()|map(attribute='name')", "item")):
        files.sees()
        assert (files.names(), files.names(absent=True)) == (["db-1", "db-2", "web"], [])
        files.sees("web")
        files.sees("db-2")
        assert (files.names(), files.names(absent=True)) == (["db-1", "db-2"], ["web"])


def test_names_of_earlier_runs_stay_in_the_manifest_while_nothing_is_removed(tmp_path: Path) -> None:
    first = Files(tmp_path)
    first.save_manifest()
    assert first.fanout.manifest_write() is None
    later = Files(tmp_path, "services()|selectattr('name', 'eq', 'nothing')")
    assert later.names() == []
    assert later.fanout.manifest_write() is None


def test_files_written_while_an_item_is_skipped_are_in_the_manifest(tmp_path: Path) -> None:
    files = Files(tmp_path, item="item.name if item.name != 'db-1' else item.nothing")
    assert files.names() == ["db-2", "web"]
    files.save_manifest()
    again = Files(tmp_path)
    again.sees("db-1", "db-2")
    assert again.names(absent=True) == ["web"]
