"""Nothing acknowledged is lost or doubled, whatever moment the process dies at."""

import os
import random
import shutil
import threading

import deltalake
import pytest

KILLS = int(os.environ.get("TARN_KILLS", "20"))


class Writer(threading.Thread):
    """Sends batches of numbered rows and remembers which were acknowledged and which were sent without an answer."""

    def __init__(self, server, name: str, first: int):
        super().__init__(daemon=True)
        self.server = server
        self.name_tag = name
        self.next = first
        self.acknowledged: set[int] = set()
        self.unanswered: list[range] = []
        self.failures: list[str] = []

    def run(self):
        rng = random.Random(self.next)
        while True:
            batch = range(self.next, self.next + rng.randint(1, 50))
            lines = "".join(f"rows,w={self.name_tag} n={n}i {1700000000_000000000 + n}\n" for n in batch)
            self.next = batch.stop
            try:
                reply = self.server.write("crash", lines)
            except OSError:
                self.unanswered.append(batch)
                return
            if reply.status != 204:
                self.failures.append(repr(reply))
                self.unanswered.append(batch)
                return
            self.acknowledged.update(batch)


def check(rows: dict[str, list[int]], writers: dict[str, list[Writer]]):
    for name, runs in writers.items():
        seen = rows.get(name, [])
        assert len(seen) == len(set(seen)), f"{name}: rows doubled"
        present = set(seen)
        for run in runs:
            assert not run.failures, run.failures
            assert run.acknowledged <= present, f"{name}: {len(run.acknowledged - present)} acknowledged rows lost"
            for batch in run.unanswered:
                kept = present & set(batch)
                assert not kept or kept == set(batch), f"{name}: half of an unacknowledged batch is there"
        known = set().union(*(run.acknowledged | set().union(*map(set, run.unanswered), set()) for run in runs))
        assert present <= known, f"{name}: rows that nobody sent"


def read_sql(server) -> dict[str, list[int]]:
    rows: dict[str, list[int]] = {}
    for row in server.sql("select w, n from crash.rows"):
        rows.setdefault(row["w"], []).append(row["n"])
    return rows


@pytest.mark.parametrize("seed", [1])
def test_kill_at_random_moments_under_load(make_server, seed):
    rng = random.Random(seed)
    server = make_server(env={"TARN_FLUSH_MAX_AGE": "50ms", "TARN_COMPACTION_INTERVAL": "200ms"})
    writers: dict[str, list[Writer]] = {"a": [], "b": []}
    pause = threading.Event()
    for _ in range(KILLS):
        running = []
        for name, runs in writers.items():
            writer = Writer(server, name, runs[-1].next if runs else 0)
            runs.append(writer)
            running.append(writer)
            writer.start()
        pause.wait(rng.uniform(0.05, 0.7))
        server.kill()
        for writer in running:
            writer.join()
        server.start()
        check(read_sql(server), writers)
    assert sum(len(run.acknowledged) for runs in writers.values() for run in runs) > KILLS
    assert server.stop() == 0
    table = deltalake.DeltaTable(str(server.lake / "crash" / "rows")).to_pyarrow_table(columns=["w", "n"])
    rows: dict[str, list[int]] = {}
    for w, n in zip(table["w"].to_pylist(), table["n"].to_pylist(), strict=True):
        rows.setdefault(w, []).append(n)
    check(rows, writers)


def test_count_never_falls_never_lags_never_overshoots(make_server):
    server = make_server(env={"TARN_FLUSH_MAX_AGE": "20ms", "TARN_COMPACTION_INTERVAL": "100ms"})
    assert server.write("live", "m v=0i 1\n").status == 204
    total = 1500
    sent = [1]
    acknowledged = [1]

    def write():
        for n in range(total):
            sent[0] += 1
            assert server.write("live", f"m v={n}i {n}\n").status == 204
            acknowledged[0] += 1

    writer = threading.Thread(target=write)
    writer.start()
    last = 0
    polls = 0
    while writer.is_alive():
        least = acknowledged[0]
        count = server.value("select count(*) from live.m")
        most = sent[0]
        assert least <= count <= most
        assert count >= last
        last = count
        polls += 1
    writer.join()
    assert server.value("select count(*) from live.m") == total + 1
    assert polls > 20


def test_two_servers_on_one_lake(make_server, tmp_path):
    lake = tmp_path / "lake"
    one = make_server(lake=lake, env={"TARN_FLUSH_MAX_AGE": "50ms"})
    two = make_server(lake=lake, env={"TARN_FLUSH_MAX_AGE": "50ms"})
    for n in range(20):
        assert one.write("b", f"m,s=one v={n}i {n}\n").status == 204
        assert two.write("b", f"m,s=two v={n}i {n}\n").status == 204
    two.kill()
    assert one.stop() == 0
    one.start()
    assert one.sql("select s, count(*) as n, sum(v) as t from b.m group by s order by s") == [
        {"s": "one", "n": 20, "t": 190},
        {"s": "two", "n": 20, "t": 190},
    ]


def test_a_deleted_wal_loses_only_what_it_held(make_server):
    server = make_server(env={"TARN_FLUSH_MAX_AGE": "20ms"})
    assert server.write("b", "m v=1i 1\n").status == 204
    assert server.stop() == 0
    shutil.rmtree(server.lake / "_tarn" / "wal")
    server.start()
    assert server.value("select count(*) from b.m") == 1
    assert server.write("b", "m v=2i 2\n").status == 204
    assert server.stop() == 0
    server.start()
    assert server.value("select count(*) from b.m") == 2


def test_a_wal_deleted_under_a_live_server_is_replaced(make_server):
    server = make_server(env={"TARN_FLUSH_MAX_AGE": "1h"})
    acknowledged = 0
    for n in range(1, 60):
        if n % 20 == 10:
            shutil.rmtree(server.lake / "_tarn" / "wal")
        answer = server.write("b", f"m v={n}i {n}\n")
        if answer.status == 204:
            acknowledged += n
        else:
            assert answer.status == 503 and int(answer.headers["Retry-After"]) > 0, answer
            assert n % 20 == 10, f"{n} came after it had healed: {answer}"
        assert server.value("select sum(v)::bigint from b.m") == acknowledged
    assert server.stop() == 0
    server.start()
    assert server.value("select sum(v)::bigint from b.m") == acknowledged
    # What was acknowledged by the new log outlives the process too.
    assert server.write("b", "m v=1000i 1\n").status == 204
    server.kill()
    server.start()
    assert server.value("select sum(v)::bigint from b.m") == acknowledged + 1000


def test_a_spill_folder_deleted_under_a_live_server_is_made_again(make_server):
    server = make_server(env={"TARN_MEMORY_LIMIT": "256MiB"})
    for _ in range(2):
        shutil.rmtree(server.lake / "_tarn" / "tmp")
        assert server.value("select count(*) from (select distinct md5(range::varchar) from range(4000000))") == 4000000
        assert any((server.lake / "_tarn" / "tmp").iterdir())


def test_a_rolled_back_wal_doubles_nothing(make_server, tmp_path):
    server = make_server(env={"TARN_FLUSH_MAX_AGE": "1h"})
    assert server.write("b", "m v=1i 1\n").status == 204
    server.kill()
    shutil.copytree(server.lake / "_tarn" / "wal", tmp_path / "saved")
    server.start()
    for n in range(2, 6):
        assert server.write("b", f"m v={n}i {n}\n").status == 204
    assert server.stop() == 0
    shutil.rmtree(server.lake / "_tarn" / "wal")
    shutil.copytree(tmp_path / "saved", server.lake / "_tarn" / "wal")
    server.start()
    assert server.value("select count(*) from b.m") == 5
    assert server.write("b", "m v=6i 6\n").status == 204
    assert server.stop() == 0
    server.start()
    assert server.value("select sum(v) from b.m") == 21
